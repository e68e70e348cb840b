# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Forked processes that work side by side and tell in the end what they have seen."""

import faulthandler
import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from support.load import Report

_fork = multiprocessing.get_context("fork")


class Processes:
	"""Forked processes that run `work(number, report)`; none of them outlives the block.

	One that is not done after `seconds` writes to stderr where its threads are, and ends.
	"""

	def __init__(self, count: int, work: Callable[[int, Report], None], seconds: float):
		self._deadline = time.monotonic() + seconds
		self._work = work
		self._started = [self._start(number) for number in range(count)]

	def _start(self, number: int) -> tuple:
		reader, writer = _fork.Pipe(duplex=False)
		process = _fork.Process(target=self._run, args=(number, writer), daemon=True)
		process.start()
		writer.close()
		return process, reader

	def _run(self, number: int, writer: Any) -> None:
		faulthandler.dump_traceback_later(self._deadline - time.monotonic(), exit=True, file=sys.__stderr__)
		report = Report()
		try:
			self._work(number, report)
		except BaseException:
			report.complaints.append(traceback.format_exc())
		writer.send(report)

	def __enter__(self) -> "Processes":
		return self

	def __exit__(self, *exception) -> None:
		for process, reader in self._started:
			process.join(0 if exception[0] else 5)
			process.kill()
			process.join(5)
			reader.close()

	@property
	def are_running(self) -> bool:
		return any(not reader.poll() and process.is_alive() for process, reader in self._started)

	def report(self) -> Report:
		"""What all of them have told, added up; waits until they are done."""
		total = Report()
		for process, reader in self._started:
			try:
				done = reader.poll(max(0, self._deadline + 5 - time.monotonic()))
				late = Report(complaints=[f"{process.name} did not end in time"])
				total.add(reader.recv() if done else late)
			except EOFError:
				total.complaints.append(f"{process.name} ended without a report")
		return total
