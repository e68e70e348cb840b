# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a user has committed, that user sees, on whichever server and in whichever process."""

import threading
import time

import pymysql
import pytest
import redis

from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need
from read_replica.engine.shared.redis_state import impatient
from read_replica.engine.shared.shared_state import SharedState
from read_replica.engine.shared.user_positions import UserPosition
from support.servers import free_port

from ..conftest import another_process, close, endpoint, make_router, until


def read(host, router, **need) -> tuple[int, int]:
	"""The stock of bolts, and the server that told it."""
	with router.read_only(Need(**need), "report"):
		return host.current().sql("SELECT qty, @@server_id FROM stock WHERE item = 'bolt'")[0]


def write(host, router, quantity: int) -> None:
	"""A request that commits."""
	write_before_reading(host, quantity)
	host.end_request(router)


def write_before_reading(host, quantity: int = 11) -> None:
	"""A commit of a request that goes on."""
	host.current().sql("UPDATE stock SET qty = %s WHERE item = 'bolt'", (quantity,))
	host.current().commit()


def nobody_listens() -> redis.Redis:
	"""A client of a Redis that is not there."""
	return impatient(redis.Redis("127.0.0.1", free_port()))


def apply_soon(servers) -> threading.Timer:
	def start() -> None:
		for replica in servers.replicas:
			replica.query("START SLAVE SQL_THREAD")

	timer = threading.Timer(0.2, start)
	timer.start()
	return timer


def test_a_user_sees_what_they_wrote_before_although_the_replicas_are_late(stopped, host, router):
	write(host, router, 11)
	assert read(host, router) == (11, 1)
	assert router.metrics.of("primary", Reason.BEHIND) == 1
	[event, *_] = host.logged("position_timeout")
	assert event["replica"] in ("replica01", "replica02")


def test_a_call_waits_for_a_replica_that_comes_up_to_what_the_user_wrote(stopped, host):
	router = make_router(host, *[endpoint(replica) for replica in stopped.replicas], wait=10)
	write(host, router, 11)
	timer = apply_soon(stopped)
	quantity, server = read(host, router)
	timer.join()
	assert quantity == 11 and server in (2, 3)
	close(router)


def test_a_replica_that_has_what_the_user_wrote_is_tried_before_one_that_would_be_waited_for(stopped, host):
	has_it, late = stopped.replicas
	router = make_router(host, endpoint(has_it), endpoint(late, weight=10_000), wait=5)
	router.health.check_now()
	write(host, router, 11)
	has_it.query("START SLAVE SQL_THREAD")
	has_it.catch_up(stopped.primary)
	router.health.check_now()
	assert read(host, router) == (11, 2)
	assert not host.logged("position_timeout")
	close(router)


def test_another_user_is_answered_by_the_late_replica(stopped, host, router):
	write(host, router, 11)
	host.log_in("another clerk")
	quantity, server = read(host, router)
	assert quantity == 10 and server in (2, 3)


def test_a_call_that_accepts_eventual_is_answered_by_the_late_replica(stopped, host, router):
	write(host, router, 11)
	assert read(host, router, consistency="eventual")[0] == 10


def test_another_process_shows_a_user_what_they_wrote(stopped, host, router):
	write(host, router, 11)
	other = another_process(host, stopped)
	their_router = make_router(other, *[endpoint(replica) for replica in stopped.replicas])
	assert read(other, their_router) == (11, 1)
	close(their_router)


def test_a_later_commit_in_the_same_request_is_seen_too(stopped, host, router):
	assert read(host, router)[1] in (2, 3)
	host.current().sql("UPDATE stock SET qty = 12 WHERE item = 'bolt'")
	host.current().commit()
	assert read(host, router) == (12, 1)


def test_what_a_primary_block_commits_is_seen_in_the_scope_around_it(stopped, host, router):
	with router.read_only(Need(), "report"):
		with router.primary():
			host.current().sql("UPDATE stock SET qty = 12 WHERE item = 'bolt'")
			host.current().commit()
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((12,),)


def test_it_is_seen_there_too_after_a_job_was_queued_in_the_block(stopped, host, router):
	with router.read_only(Need(), "report"):
		with router.primary():
			host.current().sql("UPDATE stock SET qty = 12 WHERE item = 'bolt'")
			host.current().commit()
			router.session.position_for_job(host.current())
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((12,),)


def test_a_long_request_tells_the_others_of_a_commit_while_it_goes_on(stopped, host, router):
	host.current().sql("UPDATE stock SET qty = 12 WHERE item = 'bolt'")
	host.current().commit()
	router.committed(host.current())
	other = another_process(host, stopped)
	their_router = make_router(other, *[endpoint(replica) for replica in stopped.replicas])
	assert read(other, their_router) == (12, 1)
	close(their_router)


def test_many_commits_of_a_request_are_asked_for_once_a_second_and_at_its_end(shop, host, router):
	for quantity in range(20):
		host.current().sql("UPDATE stock SET qty = %s WHERE item = 'bolt'", (quantity,))
		host.current().commit()
		router.committed(host.current())
	host.end_request(router)
	assert len(host.questions) == 2
	[[last]] = shop.primary.query("SELECT @@gtid_binlog_pos")
	assert host.shared.position_of("clerk").position == Position(last)


def test_a_commit_a_moment_after_another_is_told_while_the_request_calculates(shop, host, router):
	for quantity in (11, 12):
		host.current().sql("UPDATE stock SET qty = %s WHERE item = 'bolt'", (quantity,))
		host.current().commit()
		router.committed(host.current())
	[[last]] = shop.primary.query("SELECT @@gtid_binlog_pos")
	assert not host.shared.position_of("clerk").position.covers(Position(last))
	until(lambda: host.shared.position_of("clerk").position.covers(Position(last)), seconds=4)


def test_that_costs_nothing_where_the_request_commits_again_or_ends(shop, host, router):
	opened = host.connections_opened
	for _ in range(15):
		host.current().sql("UPDATE stock SET qty = qty + 1 WHERE item = 'bolt'")
		host.current().commit()
		router.committed(host.current())
		time.sleep(0.1)
	host.end_request(router)
	time.sleep(1.5)
	assert host.connections_opened == opened


def test_a_request_that_changes_its_user_shows_each_what_they_wrote(stopped, host, router):
	write(host, router, 11)
	host.log_in("another clerk")
	assert read(host, router)[0] == 10
	host.log_in("clerk")
	assert read(host, router) == (11, 1)


def test_whoever_made_a_request_sees_what_it_did_as_somebody_else(stopped, host, router):
	host.state().asked_by = "visitor"
	host.log_in("Administrator")
	write(host, router, 11)
	for user in ("visitor", "Administrator"):
		host.log_in(user)
		assert read(host, router) == (11, 1)
		host.end_request(router)


def test_a_position_that_the_primary_could_not_tell_keeps_calls_there(stopped, host, router, monkeypatch):
	host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
	host.current().commit()
	ask = host.ask_primary

	def lost(*args):
		raise pymysql.err.InterfaceError(0, "")

	monkeypatch.setattr(host, "ask_primary", lost)
	assert read(host, router) == (11, 1)
	monkeypatch.setattr(host, "ask_primary", ask)
	assert read(host, router) == (11, 1)
	assert host.state().own
	assert [event["error"] for event in host.logged("position_unknown")] == ["InterfaceError 0"]


def test_a_commit_of_a_primary_that_has_logged_nothing_yet_keeps_calls_there(
	stopped, host, router, monkeypatch
):
	write_before_reading(host)
	ask = host.ask_primary

	def promoted(primary, query, *args):
		# Without log_slave_updates, the log of a new primary is empty.
		return ("", "", 1) if query == dialect.COMMITTED_POSITION_QUERY else ask(primary, query, *args)

	monkeypatch.setattr(host, "ask_primary", promoted)
	assert read(host, router) == (11, 1)
	assert not host.state().own


def test_strong_shows_a_commit_that_is_newer_than_the_primarys_open_snapshot(stopped, host, router):
	assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((10,),)
	stopped.primary.query("UPDATE shop.stock SET qty = 11 WHERE item = 'bolt'")
	assert read(host, router, consistency="strong") == (11, 1)


def test_a_replica_that_is_late_by_more_than_positions_are_kept_shows_nobody_old_rows(host):
	host.shared.mark_incomplete(seconds_ago=100 * 3600)
	assert host.shared.position_of("clerk").known_for == 3600


def test_a_job_sees_what_the_request_that_queued_it_has_committed(stopped, host, router):
	host.current().sql("UPDATE stock SET qty = 12 WHERE item = 'bolt'")
	host.current().commit()
	job, their_router = job_with(router.session.position_for_job(host.current()), host, stopped)
	job.log_in("nobody who wrote")
	assert read(job, their_router) == (12, 1)
	close(their_router)


def job_with(carried, host, servers):
	"""Another process, in a job that carries this, and its router."""
	job = another_process(host, servers)
	job.state().carried = carried
	return job, make_router(job, *[endpoint(replica) for replica in servers.replicas])


def test_a_job_sees_what_its_user_had_committed_in_the_requests_before(stopped, host, router):
	write(host, router, 12)
	job, their_router = job_with(router.session.position_for_job(host.current()), host, stopped)
	assert read(job, their_router) == (12, 1)
	close(their_router)


def test_a_job_does_not_wait_for_what_other_jobs_of_its_user_commit_meanwhile(stopped, host, router):
	job, their_router = job_with(router.session.position_for_job(host.current()), host, stopped)
	write(host, router, 12)
	quantity, server = read(job, their_router)
	assert quantity == 10 and server in (2, 3)
	close(their_router)


def test_a_job_sees_what_its_method_commits_and_not_what_was_committed_before_that_began(
	stopped, host, router
):
	job, their_router = job_with(UserPosition(Position(), 3600), host, stopped)
	write_in(job, 11)
	their_router.session.job_begins(job.current(), None)
	assert read(job, their_router)[1] in (2, 3)
	write_in(job, 12)
	assert read(job, their_router) == (12, 1)
	close(their_router)


def write_in(host, quantity: int) -> None:
	host.current().sql("UPDATE stock SET qty = %s WHERE item = 'bolt'", (quantity,))
	host.current().commit()


def test_others_see_what_a_job_has_committed_before_and_after_its_method_began(stopped, host, router):
	job, their_router = job_with(UserPosition(Position(), 3600), host, stopped)
	write_in(job, 11)
	their_router.session.job_begins(job.current(), None)
	assert read(host, router) == (11, 1)
	host.end_request(router)
	host.current().rollback()
	write_in(job, 12)
	job.end_request(their_router)
	assert read(host, router) == (12, 1)
	close(their_router)


def test_whoever_queued_a_job_sees_what_it_has_committed_for_another_user(stopped, host, router):
	job, their_router = job_with(UserPosition(Position(), 3600), host, stopped)
	job.state().asked_by = "clerk"
	job.log_in("Administrator")
	write(job, their_router, 12)
	assert read(host, router) == (12, 1)
	close(their_router)


def test_a_scheduled_job_sees_what_its_earlier_runs_have_committed(stopped, host, router):
	first, of_first = run_of_a_scheduled_job(host, stopped)
	write_in(first, 12)
	first.end_request(of_first)
	second, of_second = run_of_a_scheduled_job(host, stopped)
	second.log_in("nobody who wrote")
	assert read(second, of_second) == (12, 1)
	for one in (of_first, of_second):
		close(one)


def run_of_a_scheduled_job(host, servers):
	job, their_router = job_with(UserPosition(Position(), 3600), host, servers)
	their_router.session.job_begins(job.current(), "job nightly")
	return job, their_router


def test_a_scheduled_job_does_not_wait_for_what_was_committed_around_its_earlier_runs(stopped, host, router):
	first, of_first = job_with(UserPosition(Position(), 3600), host, stopped)
	write_in(first, 11)
	of_first.session.job_begins(first.current(), "job nightly")
	of_first.session.job_has_ended(first.current())
	write_in(first, 12)
	first.end_request(of_first)
	second, of_second = run_of_a_scheduled_job(host, stopped)
	assert read(second, of_second)[1] in (2, 3)
	assert read(host, router) == (12, 1), "its user sees it all"
	for one in (of_first, of_second):
		close(one)


def test_a_job_that_a_job_has_queued_sees_what_both_had_to_be_shown(stopped, host, router):
	write(host, router, 12)
	job, their_router = job_with(router.session.position_for_job(host.current()), host, stopped)
	carried = their_router.session.position_for_job(job.current())
	assert carried.position and carried.position == router.session.position_for_job(host.current()).position
	close(their_router)


def test_a_job_queued_after_redis_has_lost_its_memory_misses_nothing(stopped, host, router):
	write(host, router, 12)
	stopped.redis.client().flushall()
	job, their_router = job_with(router.session.position_for_job(host.current()), host, stopped)
	assert read(job, their_router) == (12, 1)
	close(their_router)


def test_a_job_that_carries_a_position_of_a_primary_that_is_no_more_is_held_up_once(shop, host, router):
	write(host, router, 12)
	job, their_router = job_with(UserPosition(Position("0-9-999999999"), 3600), host, shop)
	shop.catch_up()
	assert read(job, their_router)[1] == 1
	assert read(job, their_router)[1] in (2, 3)
	assert host.shared.position_of("clerk").position, "what its user has written is another thing"
	close(their_router)


def test_a_client_of_a_user_whom_several_share_sees_its_own_commits_and_waits_for_no_others(
	stopped, host, router, monkeypatch
):
	other = another_process(host, stopped)
	their_router = make_router(other, *[endpoint(replica) for replica in stopped.replicas])
	for one, name in ((host, "robot"), (other, "app")):
		monkeypatch.setattr(one, "reader", lambda one=one, name=name: f"{one.user()}|{name}")
	write(host, router, 12)
	quantity, server = read(other, their_router)
	assert quantity == 10 and server in (2, 3)
	other.end_request(their_router)
	assert read(host, router) == (12, 1)
	monkeypatch.setattr(other, "reader", other.user)
	assert read(other, their_router) == (12, 1), "the user's own session sees what was done with their key"
	close(their_router)


def test_strong_shows_what_anybody_has_committed(shop, host, router):
	for quantity in range(20, 40):
		shop.primary.query("UPDATE shop.stock SET qty = %s WHERE item = 'bolt'", (quantity,))
		assert read(host, router, consistency="strong")[0] == quantity
	assert (
		router.metrics.of("replica01", Reason.REPLICA) + router.metrics.of("replica02", Reason.REPLICA) > 10
	)


def test_a_request_that_commits_asks_the_primary_once_more_and_one_that_does_not_never(host, router):
	read(host, router)
	host.end_request(router)
	assert host.questions == []
	write(host, router, 11)
	assert len(host.questions) == 1


@pytest.fixture
def round_trips(monkeypatch):
	"""How often this thread has sent something to Redis."""
	sent = []
	thread = threading.get_ident()
	core = redis.connection.Connection.send_packed_command

	def send_packed_command(self, *args, **kwargs):
		if threading.get_ident() == thread:
			sent.append(args)
		return core(self, *args, **kwargs)

	monkeypatch.setattr(redis.connection.Connection, "send_packed_command", send_packed_command)
	return sent


def test_a_request_of_many_calls_goes_to_redis_once(host, router, round_trips):
	read(host, router)
	host.end_request(router)
	# What is asked for every few seconds, whoever calls, is known now.
	round_trips.clear()
	for _ in range(10):
		read(host, router)
	host.end_request(router)
	assert len(round_trips) == 1


def test_a_request_that_only_writes_goes_to_redis_once(host, router, round_trips):
	write(host, router, 11)
	assert len(round_trips) == 1


def test_without_redis_a_user_sees_all_that_was_committed(stopped, host, router):
	read(host, router)
	host.shared.client = nobody_listens()
	host.end_request(router)
	write(host, router, 11)
	assert read(host, router) == (11, 1)


def test_without_redis_replicas_that_are_in_step_still_answer(shop, host, router):
	host.shared.client = nobody_listens()
	write(host, router, 11)
	for _ in range(5):
		quantity, server = read(host, router)
		assert quantity == 11 and server in (2, 3)


def test_a_redis_that_has_lost_its_memory_costs_no_user_their_writes(stopped, host, router):
	read(host, router)
	write(host, router, 11)
	stopped.redis.client().flushall()
	assert read(host, router) == (11, 1)


def test_what_could_not_be_kept_is_kept_once_redis_is_back(stopped, host, router):
	client = host.shared.client
	host.shared.client = nobody_listens()
	write(host, router, 11)
	[[user, position]] = router.session.unkept.items()
	assert user == host.reader()
	host.shared.client = client
	until(lambda: not router.session.unkept)
	other = another_process(host, stopped)
	# Redis is not believed before all processes could tell it what they have kept.
	until(lambda: other.shared.position_of(user))
	assert other.shared.position_of(user).position == position
	their_router = make_router(other, *[endpoint(replica) for replica in stopped.replicas])
	assert read(other, their_router) == (11, 1)
	close(their_router)


def test_of_no_more_users_than_are_kept_here_those_that_are_known_go_on_to_be_kept(
	stopped, host, router, monkeypatch
):
	monkeypatch.setattr("read_replica.engine.sticking.session.MOST_UNKEPT", 1)
	host.shared.client = nobody_listens()
	write(host, router, 11)
	[before] = router.session.unkept.values()
	host.current().sql("UPDATE stock SET qty = 12 WHERE item = 'bolt'")
	host.current().commit()
	after = router.session.committed_position(host.current())
	assert not before.covers(after)
	# In this order a set gives them by chance; in any, the one that is known is kept and no other one.
	for users in ([host.reader(), "second"], ["second", host.reader()]):
		router.session.unkept[host.reader()] = before
		router.session._keep_for(users, after)
		assert router.session.unkept == {host.reader(): before.joined(after)}


def test_a_commit_of_a_primary_block_that_the_primary_could_not_tell_of_is_known_to_be_unknown(
	stopped, host, router, monkeypatch
):
	marked = []
	monkeypatch.setattr(host.shared, "mark_incomplete", lambda *args, **kwargs: marked.append(1))
	ask = host.ask_primary
	for ends, expected in ((ask, 0), (None, 1)):
		host.current().sql("UPDATE stock SET qty = qty + 1 WHERE item = 'bolt'")
		host.current().commit()

		def lost(*args):
			raise pymysql.err.InterfaceError(0, "")

		monkeypatch.setattr(host, "ask_primary", ends or lost)
		router.session.committed_position(host.current())
		assert len(marked) == expected


def test_that_it_is_unknown_is_told_once_redis_is_back_whoever_and_how_many_committed(
	stopped, host, router, monkeypatch
):
	def lost(*args):
		raise pymysql.err.InterfaceError(0, "")

	ask, client = host.ask_primary, host.shared.client
	monkeypatch.setattr("read_replica.engine.sticking.session.MOST_UNKEPT", 1)
	monkeypatch.setattr(host, "ask_primary", lost)
	host.shared.client = nobody_listens()
	for user in ("clerk", "another clerk"):
		host.log_in(user)
		write_before_reading(host)
		router.session.committed_position(host.current())
	host.end_request(router)
	assert router.session.unkept == {"clerk": Position()}
	marked = []
	mark = host.shared.mark_incomplete
	monkeypatch.setattr(host.shared, "mark_incomplete", lambda *args: (mark(*args), marked.append(1)))
	monkeypatch.setattr(host, "ask_primary", ask)
	host.shared.client = client
	until(lambda: not router.session.unkept)
	assert marked


def test_a_redis_that_was_away_is_not_believed_before_others_could_tell_it_what_they_kept(
	stopped, host, router
):
	client = host.shared.client
	other = another_process(host, stopped)
	other.shared = SharedState(nobody_listens(), host.shared._prefix)
	their_router = make_router(other, *[endpoint(replica) for replica in stopped.replicas])
	host.shared.client = nobody_listens()
	read(host, router)
	host.end_request(router)
	write(other, their_router, 11)
	host.shared.client = client
	until(lambda: time.monotonic() > host.shared._left_alone_until)
	assert read(host, router) == (11, 1)
	close(their_router)


def test_a_position_of_a_primary_that_is_no_more_holds_a_user_up_once(shop, host, router):
	host.shared.keep_position({"clerk"}, Position("0-9-999999999"))
	assert read(host, router)[1] == 1
	host.end_request(router)
	assert read(host, router)[1] in (2, 3)
	assert host.logged("position_dropped") == [{"position": "0-9-999999999"}]


def test_what_a_user_commits_on_the_new_primary_is_not_forgotten_with_what_was_lost(stopped, host, router):
	host.shared.keep_position({"clerk"}, Position("0-9-999999999"))
	write(host, router, 11)
	for _ in range(3):
		assert read(host, router) == (11, 1), "no replica has it"
		host.end_request(router)
	assert len(host.logged("position_dropped")) == 1


def test_nor_is_what_the_same_request_has_committed_before_it_reads(stopped, host, router):
	host.shared.keep_position({"clerk"}, Position("0-9-999999999"))
	write_before_reading(host)
	assert [read(host, router) for _ in range(3)] == [(11, 1)] * 3


def test_nor_for_whoever_asked_for_what_was_committed_as_somebody_else(stopped, host, router):
	host.state().asked_by = "visitor"
	host.shared.keep_position({"clerk"}, Position("0-9-999999999"))
	write_before_reading(host)
	assert read(host, router) == (11, 1)
	host.end_request(router)
	host.log_in("visitor")
	assert read(host, router) == (11, 1)


def test_a_request_that_has_only_read_has_committed_nothing_when_a_position_was_dropped(shop, host, router):
	host.shared.keep_position({"clerk"}, Position("0-9-999999999"))
	read(host, router)
	assert host.logged("position_dropped")
	assert not router.session.committed_position(host.current())


def test_a_user_waits_for_their_own_last_commit_and_for_no_later_one_of_others(shop, host, router):
	write_before_reading(host)
	shop.primary.query("UPDATE shop.stock SET qty = 12 WHERE item = 'nut'")
	[[later]] = shop.primary.query("SELECT @@gtid_binlog_pos")
	own = router.session.committed_position(host.current())
	assert own and Position(later).is_ahead_of(own)


def test_nor_what_another_request_of_the_user_commits_in_that_moment(stopped, host, router, monkeypatch):
	host.shared.keep_position({"clerk"}, Position("0-9-999999999"))
	replace = host.shared.replace_position

	def after_another_commit(*args) -> None:
		monkeypatch.setattr(host.shared, "replace_position", replace)
		stopped.primary.query("UPDATE shop.stock SET qty = 12 WHERE item = 'bolt'")
		[[position]] = stopped.primary.query("SELECT @@gtid_binlog_pos")
		host.shared.keep_position({"clerk"}, Position(position))
		replace(*args)

	monkeypatch.setattr(host.shared, "replace_position", after_another_commit)
	read(host, router)
	host.end_request(router)
	assert read(host, router) == (12, 1)


def test_requests_that_end_together_keep_the_later_position_in_any_order(host):
	for number in (7, 9, 8, *range(1, 7)):
		host.shared.keep_position({"clerk"}, Position(f"0-1-{number}"))
	assert host.shared.position_of("clerk").position == Position("0-1-9")


def test_a_position_of_a_new_domain_is_kept_beside_the_old_ones(host):
	for number in range(1000, 1020):
		host.shared.keep_position({"clerk"}, Position(f"0-1-{number}"))
	host.shared.keep_position({"clerk"}, Position("2-2-51"))
	assert host.shared.position_of("clerk").position == Position("0-1-1019,2-2-51")
