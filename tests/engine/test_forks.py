# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A process that forks while another of its threads imports a module."""

import sys
import threading
from collections.abc import Iterator
from importlib import import_module

import pytest

from read_replica.engine import forks
from support.processes import Processes
from support.waiting import until

MODULE = "imported_slowly"


@pytest.fixture
def importing(tmp_path, monkeypatch) -> Iterator[threading.Event]:
	"""A thread is in the middle of an import; it goes on when the event is set."""
	forks.let_forks_wait()
	may_end = threading.Event()
	monkeypatch.setattr(forks, "may_end", may_end, raising=False)
	(tmp_path / f"{MODULE}.py").write_text(
		"from read_replica.engine import forks\n\nforks.may_end.wait(30)\nis_whole = True\n"
	)
	monkeypatch.syspath_prepend(tmp_path)
	thread = threading.Thread(target=import_module, args=(MODULE,))
	thread.start()
	until(lambda: MODULE in sys.modules)
	yield may_end
	may_end.set()
	thread.join()
	del sys.modules[MODULE]


def import_whole(number, report) -> None:
	assert import_module(MODULE).is_whole


def test_a_process_forked_in_the_middle_of_an_import_may_import_the_same_module(importing):
	threading.Timer(0.3, importing.set).start()
	with Processes(1, import_whole, seconds=10) as child:
		assert child.report().complaints == []


def test_an_import_that_does_not_end_does_not_keep_a_process_from_forking(importing, monkeypatch):
	monkeypatch.setattr(forks, "MOST_SECONDS", 0.2)
	with Processes(1, lambda number, report: None, seconds=10) as child:
		assert child.report().complaints == []
	assert not importing.is_set()


@pytest.fixture
def at_work() -> Iterator[tuple[threading.Event, threading.Event]]:
	"""A thread does what no fork is to cut in two: whether it is at it, and that it may end."""
	forks.let_forks_wait()
	is_at_it, may_end = threading.Event(), threading.Event()

	def work() -> None:
		with forks.forks_held_back():
			is_at_it.set()
			may_end.wait(30)
			is_at_it.clear()

	thread = threading.Thread(target=work)
	thread.start()
	is_at_it.wait(10)
	yield is_at_it, may_end
	may_end.set()
	thread.join()


def work_that_holds_forks_back(number, report) -> None:
	with forks.forks_held_back():
		pass


def test_a_process_is_forked_before_or_after_such_work_and_may_do_it_as_well(at_work):
	is_at_it, may_end = at_work

	def look(number, report) -> None:
		assert not is_at_it.is_set()
		work_that_holds_forks_back(number, report)

	threading.Timer(0.3, may_end.set).start()
	with Processes(1, look, seconds=10) as child:
		assert child.report().complaints == []
	work_that_holds_forks_back(0, None)


def test_such_work_that_does_not_end_keeps_no_process_from_forking_nor_the_fork_from_it(at_work, monkeypatch):
	monkeypatch.setattr(forks, "MOST_SECONDS", 0.2)
	is_at_it, may_end = at_work
	with Processes(1, work_that_holds_forks_back, seconds=10) as child:
		assert child.report().complaints == []
	assert is_at_it.is_set()
	may_end.set()
	work_that_holds_forks_back(0, None)


def test_a_module_that_forks_as_it_is_imported_waits_for_nothing(tmp_path, monkeypatch):
	forks.let_forks_wait()
	looks = []
	monkeypatch.setattr(forks, "_others_are_importing", spied(forks._others_are_importing, looks))
	(tmp_path / "imported_with_a_fork.py").write_text(
		"import os\n\npid = os.fork()\nif not pid:\n\tos._exit(0)\nos.waitpid(pid, 0)\n"
	)
	monkeypatch.syspath_prepend(tmp_path)
	import_module("imported_with_a_fork")
	assert looks == [False]


def spied(function, results: list):
	def call():
		results.append(function())
		return results[-1]

	return call
