# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A replica that hangs, is cut off or lacks something: the caller gets its answer all the same."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from read_replica.engine.dialect import Position
from read_replica.engine.health import watchdog
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need
from support.servers import MariaDB

from .conftest import close, endpoint, make_router, until
from .replicas.test_pool import in_a_child

# What nobody waits for: far more than any of our limits, far less than those of the system, in minutes.
SECONDS = 6


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def answered_by(host, router, **need) -> int:
	with router.read_only(Need(**need), "report"):
		return server_id(host)


@contextmanager
def within(seconds: float) -> Iterator[None]:
	began = time.monotonic()
	yield
	took = time.monotonic() - began
	assert took < seconds, f"it took {took:.1f} s"


class Report(threading.Thread):
	"""A call in a thread of its own; its answer, or what it raised."""

	def __init__(self, host, router, statement: str, **need):
		super().__init__(daemon=True)
		self._call = (host, router, statement, Need(**need))
		self.rows: tuple = ()
		self.raised: Exception | None = None
		self.start()

	def run(self) -> None:
		host, router, statement, need = self._call
		try:
			with router.read_only(need, "report"):
				self.rows = host.current().sql(statement)
		except Exception as error:
			self.raised = error
		host.current().close()

	def ended_within(self, seconds: float) -> bool:
		self.join(seconds)
		return not self.is_alive()


def running_on(server: MariaDB, text: str) -> int:
	"""The connection on which a server runs a statement, once it does."""
	query = "SELECT id FROM information_schema.processlist WHERE info LIKE %s AND id <> CONNECTION_ID()"
	until(lambda: server.query(query, (f"%{text}%",)))
	return server.query(query, (f"%{text}%",))[0][0]


def drop_packets(listener: socket.socket) -> list[socket.socket]:
	"""Fill the queue of a port that accepts nobody: the system then drops what arrives."""
	fillers = [socket.socket() for _ in range(4)]
	for filler in fillers:
		filler.setblocking(False)
		filler.connect_ex(listener.getsockname())
	return fillers


def say(words: bytes) -> Callable[[socket.socket], None]:
	"""Greet each caller so, and hang up."""

	def serve(listener: socket.socket) -> None:
		def answer() -> None:
			while True:
				try:
					caller, _ = listener.accept()
				except OSError:
					return
				with caller:
					caller.sendall(words)

		threading.Thread(target=answer, daemon=True).start()

	return serve


@pytest.fixture
def bad_port(request) -> Iterator[int]:
	"""A port of 127.0.0.1 with no database behind it, which behaves as the test's parameter says."""
	behave, backlog = request.param
	with socket.socket() as listener:
		listener.bind(("127.0.0.1", 0))
		listener.listen(backlog)
		kept = behave(listener)
		yield listener.getsockname()[1]
		for each in kept or ():
			each.close()
		# Wakes the thread that accepts.
		listener.shutdown(socket.SHUT_RDWR)


DROPS_PACKETS = pytest.param((drop_packets, 0), id="drops_packets")
BAD_PORTS = [
	DROPS_PACKETS,
	pytest.param((lambda listener: None, 100), id="never_speaks"),
	pytest.param((say(b""), 100), id="hangs_up"),
	pytest.param((say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 100), id="speaks_http"),
]


@pytest.mark.parametrize("bad_port", BAD_PORTS, indirect=True)
def test_a_replica_that_cannot_be_connected_to_is_passed_over_for_the_next(shop, host, bad_port):
	bad = endpoint(shop.replicas[0], name="bad", port=bad_port)
	router = make_router(host, bad, endpoint(shop.replicas[1]))
	with within(SECONDS):
		assert [answered_by(host, router) for _ in range(20)] == [3] * 20
	assert [event["replica"] for event in host.logged("replica_down")] == ["bad"]
	close(router)


@pytest.mark.parametrize("bad_port", [DROPS_PACKETS], indirect=True)
def test_the_first_call_waits_once_however_many_replicas_cannot_be_reached(shop, host, bad_port):
	first, second = shop.replicas
	bad = [endpoint(first, name=f"bad{number}", port=bad_port) for number in range(8)]
	router = make_router(host, *bad, endpoint(second))
	with within(SECONDS):
		assert answered_by(host, router) == 3
	close(router)


def test_a_replica_that_freezes_in_the_middle_of_a_query_leaves_it_to_another(revived, host, router):
	report = Report(host, router, "SELECT SLEEP(1), @@server_id")
	until(lambda: router.scopes)
	[scope] = router.scopes
	frozen = revived.replicas[0] if scope.replica.name == "replica01" else revived.replicas[1]
	running_on(frozen, "SLEEP")
	frozen.freeze()
	assert report.ended_within(SECONDS)
	assert report.rows == ((0, 5 - frozen.server_id),)
	assert router.metrics.of(f"replica{frozen.server_id - 1:02}", Reason.LOST) == 1


@pytest.fixture
def one(revived, host):
	"""A router with one replica, which has answered before."""
	router = make_router(host, endpoint(revived.replicas[0]))
	router.health.check_if_unknown()
	assert answered_by(host, router) == 2
	yield router
	close(router)


def test_whoever_goes_on_is_named_as_one_that_has_answered_too(revived, host, router):
	with router.read_only(Need(), "report") as scope:
		host.current().sql("SELECT 1")
		[lost] = [server for server in revived.replicas if server.folder.name == scope.replica.name]
		lost.kill()
		host.current().sql("SELECT 1")
		assert host.state().servers == {"replica01", "replica02"}


def test_a_frozen_replica_holds_the_first_call_no_longer_than_a_second_or_two(revived, host, one):
	revived.replicas[0].freeze()
	report = Report(host, one, "SELECT @@server_id")
	assert report.ended_within(SECONDS)
	assert report.rows == ((1,),)


def test_nor_does_it_hold_a_call_with_another_timeout_than_the_last_one(revived, host, one):
	revived.replicas[0].freeze()
	report = Report(host, one, "SELECT @@server_id", timeout=7)
	assert report.ended_within(SECONDS)
	assert report.rows == ((1,),)


def test_nor_a_call_that_must_open_a_connection(revived, host, one):
	one.replicas[0].pool.close_idle()
	revived.replicas[0].freeze()
	report = Report(host, one, "SELECT @@server_id")
	assert report.ended_within(SECONDS)
	assert report.rows == ((1,),)


def test_nor_a_call_that_waits_for_what_its_user_has_written(revived, host, one):
	host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
	host.current().commit()
	host.end_request(one)
	revived.replicas[0].freeze()
	report = Report(host, one, "SELECT qty, @@server_id FROM stock WHERE item = 'bolt'")
	assert report.ended_within(SECONDS)
	assert report.rows == ((11, 1),)


def test_nor_a_commit_inside_a_scope(revived, host, one):
	answers = []

	def report() -> None:
		with one.read_only(Need(), "report"):
			server_id(host)
			revived.replicas[0].freeze()
			host.current().commit()
			answers.append(server_id(host))
		host.current().close()

	thread = threading.Thread(target=report, daemon=True)
	thread.start()
	thread.join(SECONDS)
	assert answers == [1]


@pytest.mark.parametrize("question", ["watch", "mark_incomplete"])
def test_nor_while_the_primary_hangs_that_is_asked_what_others_have_written(revived, host, one, question):
	hangs = threading.Event()
	setattr(host.shared, question, lambda: hangs.set() or time.sleep(10))
	one.session.unkept["somebody"] = Position("0-1-1")
	assert hangs.wait(10)
	revived.replicas[0].freeze()
	report = Report(host, one, "SELECT @@server_id")
	assert report.ended_within(SECONDS)
	assert report.rows == ((1,),)


def test_nor_the_first_call_of_a_process_that_knows_nothing_yet(revived, host):
	revived.replicas[0].freeze()
	router = make_router(host, *[endpoint(replica) for replica in revived.replicas])
	report = Report(host, router, "SELECT @@server_id")
	assert report.ended_within(SECONDS)
	assert report.rows == ((3,),)
	close(router)


def test_a_frozen_replica_is_back_in_use_soon_after_it_goes_on(revived, host, one):
	revived.replicas[0].freeze()
	until(lambda: answered_by(host, one) == 1)
	time.sleep(1.5)
	revived.replicas[0].thaw()
	until(lambda: answered_by(host, one) == 2, seconds=SECONDS)


def test_a_replica_that_is_shut_down_in_the_middle_of_a_query_leaves_it_to_the_primary(revived, host, one):
	query = "SELECT COUNT(*), @@server_id FROM seq_1_to_200000 a JOIN seq_1_to_300 b"
	report = Report(host, one, query)
	running_on(revived.replicas[0], "seq_1_to_200000")
	revived.replicas[0].stop()
	assert report.ended_within(30)
	assert report.rows == ((60_000_000, 1),), report.raised


def test_a_server_that_does_not_end_a_statement_in_time_is_cut_off(shop, host, one, monkeypatch):
	monkeypatch.setattr(watchdog, "SECONDS_BEHIND_TIMEOUT", 0.5)
	# The statement overrides the limit of its session; on the primary it is quick.
	query = "SET STATEMENT max_statement_time = 0 FOR SELECT IF(@@server_id = 1, 0, SLEEP(40)), @@server_id"
	report = Report(host, one, query, timeout=0.5)
	assert report.ended_within(20)
	assert report.rows == ((0, 1),)


def test_a_forked_process_leaves_the_calls_of_its_parent_alone(shop, host, one):
	report = Report(host, one, "SELECT SLEEP(2), @@server_id", timeout=60)
	running_on(shop.replicas[0], "SLEEP")
	host.current().close()

	def work() -> None:
		# As if the statement that the parent waits for had been overdue for long.
		watchdog.SECONDS_BEHIND_TIMEOUT = -60
		answered_by(host, one)
		time.sleep(0.5)

	in_a_child(work)
	assert report.ended_within(SECONDS)
	assert report.rows == ((0, 2),)
	assert one.metrics.of("replica01", Reason.LOST) == 0
