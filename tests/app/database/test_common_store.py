# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What processes know of each other's writes whose Redises differ, one step at a time."""

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import frappe
import pytest
import redis

from read_replica.database import common_store, routed
from read_replica.database.common_store import DatabaseStore
from read_replica.database.connector import Connector
from read_replica.engine.dialect import Position
from read_replica.engine.shared import several_redises
from read_replica.engine.shared.common_store import (
	NO_REDIS,
	SECONDS_OF_KEEPING_FOR_OTHERS,
	CommonStoreError,
	KnownRedis,
	view_of,
)
from read_replica.engine.shared.redis_state import SECONDS_LEFT_ALONE, impatient
from read_replica.engine.shared.several_redises import ID_KEY, SeveralRedises
from read_replica.watch import cache_redises
from support.one_address import OneAddress, one_address
from support.servers import Redis, free_port
from support.trouble import standing_still
from support.waiting import until

from ..conftest import connected, overheard

AN_HOUR = 3600
SOMEBODY = "somebody@example.com"


@pytest.fixture(scope="module")
def redises() -> Iterator[list[Redis]]:
	started = []
	with tempfile.TemporaryDirectory(prefix="rr-redises-") as folder:
		for name in ("one", "other"):
			(Path(folder) / name).mkdir()
			started.append(Redis(Path(folder) / name))
			started[-1].start()
		yield started
		for server in started:
			server.kill()


@pytest.fixture
def unrouted(sites, servers) -> Iterator[None]:
	"""A connection to the site while nothing is routed, so that its own Redis is not noted."""
	servers.catch_up()
	with connected():
		yield


@pytest.fixture
def process_on(unrouted, redises) -> Iterator[Callable[..., SeveralRedises]]:
	"""What a process has that begins now, and whose Redis has this port."""
	made = []

	def begin(port: int, connector: Connector | None = None) -> SeveralRedises:
		store = DatabaseStore(connector or Connector(routed.primary_of(frappe.local.db)))
		made.append(SeveralRedises(impatient(redis.Redis("127.0.0.1", port)), "of_the_test", store))
		return made[-1]

	for server in redises:
		if not server.is_running:
			server.start()
		server.client().flushall()
	forget()
	yield begin
	for process in made:
		process.close()
	forget()


def forget() -> None:
	frappe.db.rollback()
	for doctype in ("Cache Redis", "User Position"):
		frappe.db.delete(doctype)
	frappe.db.commit()


def age(seconds: int, doctype: str = "Cache Redis", columns: tuple = ("in_use_since",)) -> None:
	"""Let that be so much older than it is."""
	frappe.db.rollback()
	for column in columns:
		frappe.db.sql(f"update `tab{doctype}` set {column} = {column} - interval %s second", seconds)
	frappe.db.commit()


def let_all_look(*processes: SeveralRedises) -> None:
	for process in processes:
		process.watch()


@pytest.fixture
def two(process_on, redises) -> tuple[SeveralRedises, SeveralRedises]:
	"""Two processes on a Redis each, as they have been for an hour."""
	one, other = (process_on(server.port) for server in redises)
	let_all_look(one, other)
	age(AN_HOUR)
	let_all_look(one, other)
	return one, other


def test_with_one_redis_it_has_all_positions_and_the_primary_is_told_none(process_on, redises, servers):
	one, other = process_on(redises[0].port), process_on(redises[0].port)
	one.position_of(SOMEBODY)
	with overheard(servers.primary) as heard:
		for number in range(1, 6):
			one.keep_position({SOMEBODY}, Position(f"0-1-{number}"))
			assert other.position_of(SOMEBODY).position == Position(f"0-1-{number}")
		assert "tabUser Position" not in heard() and "tabCache Redis" not in heard()
	assert frappe.db.count("Cache Redis") == 1 and cache_redises.problems() == []


def test_a_write_through_one_is_known_through_the_other_in_both_directions(two):
	for number, (one, other) in enumerate((two, reversed(two)), start=1):
		one.keep_position({SOMEBODY}, Position(f"0-1-{number}"))
		found = other.position_of(SOMEBODY)
		assert found.position == Position(f"0-1-{number}")
		assert found.known_for == pytest.approx(AN_HOUR, abs=30)


def test_a_user_who_has_written_nothing_has_no_position(two):
	one, other = two
	one.keep_position({SOMEBODY}, Position("0-1-1"))
	found = other.position_of("nobody@example.com")
	assert found.position == Position() and found.known_for > AN_HOUR - 30


def test_until_all_know_of_the_second_one_nobody_can_say_what_a_user_has_written(process_on, redises):
	one, other = (process_on(server.port) for server in redises)
	one.keep_position({SOMEBODY}, Position("0-1-1"))
	assert other.position_of(SOMEBODY) is None
	let_all_look(one)
	assert one.position_of(SOMEBODY) is None
	age(several_redises.SECONDS_UNTIL_ALL_KNOW + 3)
	let_all_look(one, other)
	# What was written before was not told to all: a replica must not be as late as that.
	assert 2 <= other.position_of(SOMEBODY).known_for < 10


def test_a_new_process_hears_in_its_first_question_that_there_are_several(two, process_on, redises):
	two[0].keep_position({SOMEBODY}, Position("0-1-7"))
	assert process_on(redises[1].port).position_of(SOMEBODY).position == Position("0-1-7")


def test_a_new_process_that_only_writes_tells_the_others(two, process_on, redises):
	process_on(redises[1].port).keep_position({SOMEBODY}, Position("0-1-8"))
	assert two[0].position_of(SOMEBODY).position == Position("0-1-8")


def test_a_process_whose_redis_is_gone_tells_the_others_all_the_same(two, redises):
	one, other = two
	redises[1].kill()
	other.keep_position({SOMEBODY}, Position("0-1-9"))
	assert one._common.position_of(SOMEBODY).position == Position("0-1-9")


def test_the_others_see_what_is_written_on_a_server_that_cannot_reach_the_one_redis(process_on, redises):
	other, alone = process_on(redises[0].port), process_on(free_port())
	let_all_look(other)
	assert other.position_of(SOMEBODY).position == Position()
	alone.keep_position({SOMEBODY}, Position("0-1-5"))
	let_all_look(other)
	assert other.position_of(SOMEBODY) is None, "what was written before is not known"
	age(several_redises.SECONDS_UNTIL_ALL_KNOW + 3)
	let_all_look(other)
	assert other.position_of(SOMEBODY).position == Position("0-1-5")
	alone.keep_position({SOMEBODY}, Position("0-1-6"))
	assert other.position_of(SOMEBODY).position == Position("0-1-6")
	let_all_look(alone)
	assert alone.position_of(SOMEBODY).position == Position("0-1-6")


def test_so_they_do_where_redis_answers_and_takes_nothing(process_on, redises):
	one, other = process_on(redises[0].port), process_on(redises[0].port)
	let_all_look(one, other)
	client = redises[0].client()
	client.config_set("maxmemory", 1)
	try:
		one.keep_position({SOMEBODY}, Position("0-1-5"))
		let_all_look(other)
		assert other.position_of(SOMEBODY) is None
		age(several_redises.SECONDS_UNTIL_ALL_KNOW + 3)
		let_all_look(other)
		assert other.position_of(SOMEBODY).position == Position("0-1-5")
		# Nobody writes for a while: that does not mean that it takes something again.
		time.sleep(SECONDS_LEFT_ALONE + 0.2)
		age(several_redises.SECONDS_WITHOUT_REDIS, columns=("seen_at",))
		let_all_look(other)
		assert NO_REDIS in other._view.redises
	finally:
		client.config_set("maxmemory", 0)
	time.sleep(SECONDS_LEFT_ALONE + 0.2)
	let_all_look(other)
	assert NO_REDIS not in other._view.redises


def test_once_redis_is_back_it_has_all_positions_but_those_that_were_written_without_it(process_on, redises):
	other, alone = process_on(redises[0].port), process_on(free_port())
	other.mark_incomplete(seconds_ago=AN_HOUR)
	let_all_look(other)
	alone.keep_position({SOMEBODY}, Position("0-1-5"))
	let_all_look(other)
	assert NO_REDIS in other._view.redises
	age(several_redises.SECONDS_WITHOUT_REDIS, columns=("seen_at",))
	let_all_look(other)
	assert other._view.several_for is None and cache_redises.problems() == []
	assert other.position_of(SOMEBODY).known_for < 5


def test_who_does_not_know_yet_that_redis_is_back_misses_nothing(process_on, redises):
	other, late = process_on(redises[0].port), process_on(redises[0].port)
	let_all_look(other)
	process_on(free_port()).keep_position({SOMEBODY}, Position("0-1-5"))
	age(AN_HOUR)
	let_all_look(late)
	age(several_redises.SECONDS_WITHOUT_REDIS, columns=("seen_at",))
	let_all_look(other)
	assert other._view.several_for is None and late._view.several_for is not None
	other.keep_position({SOMEBODY}, Position("0-1-6"))
	assert late.position_of(SOMEBODY).position == Position("0-1-6")
	# Told once is enough, and for a minute it is told to all.
	beginning = redises[0].client().pttl("of_the_test|beginning")
	let_all_look(other, late)
	assert redises[0].client().pttl("of_the_test|beginning") <= beginning
	age(SECONDS_OF_KEEPING_FOR_OTHERS, columns=("seen_at",))
	let_all_look(other)
	assert not other._view.is_kept_on_primary


def test_as_long_as_a_server_is_at_work_without_redis_the_others_know_of_it(process_on, redises):
	other, alone = process_on(redises[0].port), process_on(free_port())
	let_all_look(other, alone)
	assert NO_REDIS not in other._view.redises, "it has written nothing"
	alone.keep_position({SOMEBODY}, Position("0-1-5"))
	time.sleep(several_redises.SECONDS_BETWEEN_NOTES_OF_NONE)
	age(several_redises.SECONDS_WITHOUT_REDIS, columns=("seen_at",))
	let_all_look(alone, other)
	assert NO_REDIS in other._view.redises


def test_status_names_the_servers_without_redis_and_none_that_was_so_for_a_moment(process_on, redises):
	let_all_look(process_on(redises[0].port))
	alone = process_on(free_port())
	alone.keep_position({SOMEBODY}, Position("0-1-5"))
	alone._common.note(NO_REDIS, "another-host", "redis:6379")
	assert cache_redises.problems() == []
	age(120)
	[problem] = cache_redises.problems()
	assert "another-host" in problem and socket.gethostname() in problem and "cannot" in problem
	alone._find_redises()
	assert len(alone._view.redises) == 2, "however many servers are without"


def test_what_neither_redis_nor_the_primary_takes_is_left_to_be_kept_later(process_on):
	alone = process_on(free_port())
	alone._common._connector = unreachable()
	for keep in (lambda: alone.keep_position({SOMEBODY}, Position("0-1-5")), alone.mark_incomplete):
		with pytest.raises(redis.RedisError):
			keep()
	time.sleep(SECONDS_LEFT_ALONE)
	alone._common._connector = Connector(routed.primary_of(frappe.local.db))
	alone.mark_incomplete()
	alone.keep_position({SOMEBODY}, Position("0-1-5"))
	found = alone._common.position_of(SOMEBODY)
	assert found.position == Position("0-1-5") and found.known_for < 5


def test_a_name_that_leads_to_two_redises_by_turns_hides_nothing(process_on, redises):
	with one_address(*redises) as address:
		let_all_look(process_on(redises[0].port), process_on(redises[1].port))
		age(AN_HOUR)
		let_all_look(process_on(redises[0].port), process_on(redises[1].port))
		for number in range(1, 9):
			# Each on a connection of its own.
			process_on(address.port).keep_position({SOMEBODY}, Position(f"0-1-{number}"))
			assert process_on(address.port).position_of(SOMEBODY).position == Position(f"0-1-{number}")


def test_threads_of_one_process_with_different_redises_hide_nothing(process_on, redises):
	with one_address(*redises) as address:
		process = process_on(address.port)
		for _ in redises:
			in_a_thread(process.watch)
		age(AN_HOUR)
		for _ in redises:
			in_a_thread(process.watch)
		for number in range(1, 9):
			in_a_thread(lambda number=number: process.keep_position({SOMEBODY}, Position(f"0-1-{number}")))
			found = in_a_thread(lambda: process.position_of(SOMEBODY))
			assert found.position == Position(f"0-1-{number}")


def in_a_thread(work: Callable):
	answers = []
	thread = threading.Thread(target=lambda: answers.append(work()))
	thread.start()
	thread.join(20)
	return answers[0]


def test_a_redis_that_was_flushed_is_the_same_one(process_on, redises):
	process = process_on(redises[0].port)
	process.keep_position({SOMEBODY}, Position("0-1-1"))
	redises[0].client().flushall()
	assert process.position_of(SOMEBODY).known_for < 5, "what it had is lost"
	assert process_on(redises[0].port).position_of(SOMEBODY).known_for < 5
	assert len(process._view.redises) == 1 and cache_redises.problems() == []
	assert frappe.db.count("Cache Redis") == 1


def test_a_redis_that_was_restarted_without_its_data_is_another_one_for_an_hour(process_on, redises):
	process = process_on(redises[0].port)
	process.keep_position({SOMEBODY}, Position("0-1-1"))
	redises[0].kill()
	redises[0].start()
	assert process.position_of(SOMEBODY) is None
	assert len(process._view.redises) == 2
	age(AN_HOUR + 1, columns=("seen_at", "in_use_since"))
	let_all_look(process)
	assert len(process._view.redises) == 1


def test_status_says_nothing_of_a_redis_that_was_restarted_and_something_of_one_that_both_go_on_using(
	process_on, redises
):
	process = process_on(redises[0].port)
	process.keep_position({SOMEBODY}, Position("0-1-1"))
	redises[0].kill()
	redises[0].start()
	let_all_look(process)
	assert len(process._view.redises) == 2 and cache_redises.problems() == []
	other = process_on(redises[1].port)
	let_all_look(other)
	age(2 * cache_redises.SECONDS_OF_A_RESTART, columns=("seen_at", "in_use_since"))
	let_all_look(process, other)
	[problem] = cache_redises.problems()
	assert "2 cache Redises" in problem


def test_two_redises_that_were_started_from_copies_of_the_same_data_are_told_apart(process_on, redises):
	for server in redises:
		server.client().set(ID_KEY, "of-the-original")
	one, other = (process_on(server.port) for server in redises)
	let_all_look(one, other)
	assert len(other._view.redises) == 2


def test_when_there_is_one_again_status_is_quiet_and_then_redis_has_all_positions(two, servers):
	one, _ = two
	[problem] = cache_redises.problems()
	assert "2 cache Redises" in problem and problem.count("seen") == 2 and "redis_cache" in problem
	# The other one is not seen any more.
	age(15 * 60 + 1, columns=("seen_at",))
	let_all_look(one)
	assert cache_redises.problems() == []
	one.keep_position({SOMEBODY}, Position("0-1-5"))
	age(AN_HOUR + SECONDS_OF_KEEPING_FOR_OTHERS, columns=("seen_at",))
	let_all_look(one)
	with overheard(servers.primary) as heard:
		assert one.position_of(SOMEBODY).position == Position("0-1-5"), "kept in Redis all the time"
		one.keep_position({SOMEBODY}, Position("0-1-6"))
		assert "tabUser Position" not in heard()


def test_those_who_know_already_that_there_is_one_tell_those_who_do_not(two):
	one, late = two
	age(AN_HOUR + 1, columns=("seen_at",))
	let_all_look(one)
	assert one._view.several_for is None
	one.keep_position({SOMEBODY}, Position("0-1-5"))
	assert late.position_of(SOMEBODY).position == Position("0-1-5")


def test_requests_that_end_together_keep_the_later_position_in_any_order_and_of_each_domain(two):
	one, other = two
	for text in ("0-1-7", "0-1-1009", "0-1-998", "2-2-51"):
		one.keep_position({SOMEBODY}, Position(text))
	assert other.position_of(SOMEBODY).position == Position("0-1-1009,2-2-51")


def test_positions_that_may_be_lost_and_those_of_a_former_primary_are_known_to_all(two):
	one, other = two
	one.keep_position({SOMEBODY}, Position("0-1-7"))
	one.mark_incomplete()
	assert other.position_of(SOMEBODY).known_for < 5
	one.keep_position({SOMEBODY}, Position("0-9-99,2-2-51"))
	one.replace_position(SOMEBODY, Position("0-2-8"))
	assert other.position_of(SOMEBODY).position == Position("0-2-8")


def test_a_position_counts_for_an_hour(two):
	one, other = two
	one.keep_position({SOMEBODY}, Position("0-1-7"))
	age(AN_HOUR, "User Position", ("written_at",))
	assert other.position_of(SOMEBODY).position == Position()


def test_many_processes_that_write_for_one_user_lose_no_position(two, process_on, redises):
	processes = [process_on(redises[number % 2].port) for number in range(6)]
	errors = []

	def work(process, first: int) -> None:
		try:
			for number in range(first, 300, 6):
				process.keep_position({SOMEBODY, "Guest"}, Position(f"0-1-{number + 1}"))
		except Exception as error:
			errors.append(error)

	threads = [threading.Thread(target=work, args=(p, first)) for first, p in enumerate(processes)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join(60)
	assert errors == []
	assert two[0].position_of(SOMEBODY).position == Position("0-1-300")


def test_a_primary_that_cannot_be_asked_leaves_it_unknown(two, process_on, redises):
	one, _ = two
	connector = Connector(routed.primary_of(frappe.local.db))
	connector._settings["port"] = free_port()
	redises[0].client().flushall()
	blind = process_on(redises[0].port, connector)
	assert blind.position_of(SOMEBODY) is None
	one._common._connector = connector
	one._common.close()
	assert one.position_of(SOMEBODY) is None
	with pytest.raises(CommonStoreError):
		one.keep_position({SOMEBODY}, Position("0-1-5"))


def test_while_the_primary_cannot_be_asked_one_redis_goes_on_as_one(process_on, redises, monkeypatch):
	one, other = process_on(redises[0].port), process_on(redises[0].port)
	for process in (one, other):
		process.keep_position({SOMEBODY}, Position("0-1-5"))
		process._common.close()
		process._common._connector._settings["port"] = free_port()
		process._view = process._view._replace(at=process._view.at - AN_HOUR)
	redises[0].client().delete("of_the_test|redises")
	assert other.position_of(SOMEBODY).position == Position("0-1-5")
	# The one that watches tells what was known, so that no other has to ask.
	with pytest.raises(CommonStoreError):
		one.watch()
	with monkeypatch.context() as without:
		without.setattr(other, "_common", None)
		assert other.position_of(SOMEBODY).position == Position("0-1-5")


def test_nothing_is_known_of_another_redis_that_comes_while_the_primary_cannot_be_asked(process_on, redises):
	process = process_on(redises[0].port)
	process.keep_position({SOMEBODY}, Position("0-1-5"))
	process._common._connector = unreachable()
	process._common.close()
	redises[0].kill()
	redises[0].start()
	with pytest.raises(CommonStoreError):
		process.watch()
	assert process.position_of(SOMEBODY) is None
	assert process_on(redises[0].port, unreachable()).position_of(SOMEBODY) is None


def test_who_has_just_committed_does_not_go_by_what_was_known_long_ago(process_on, redises):
	one, other = (process_on(server.port) for server in redises)
	one.position_of(SOMEBODY)
	one._view = one._view._replace(at=one._view.at - AN_HOUR)
	working, one._common._connector = one._common._connector, unreachable()
	one._common.close()
	with pytest.raises(CommonStoreError):
		one.watch()
	one._common._connector = working
	other.watch()
	time.sleep(SECONDS_LEFT_ALONE)
	one.keep_position({SOMEBODY}, Position("0-1-5"))
	assert other._common.position_of(SOMEBODY).position == Position("0-1-5")


def test_whom_the_primary_refuses_to_tell_it_does_not_go_by_what_was_known_long_ago(
	process_on, redises, user_of_one_connection, servers
):
	watching, other = process_on(redises[0].port, user_of_one_connection), process_on(redises[0].port)
	watching.keep_position({SOMEBODY}, Position("0-1-5"))
	watching._common.close()
	# The server learns of it a moment later.
	until(lambda: connections_of("of_one_connection", servers) == 0)
	held = user_of_one_connection.connect(None, 5)
	try:
		with pytest.raises(CommonStoreError):
			watching.watch()
		assert watching.position_of(SOMEBODY).position == Position("0-1-5"), (
			"for some seconds nothing is lost"
		)
		watching._view = watching._view._replace(at=watching._view.at - 60)
		with pytest.raises(CommonStoreError):
			watching.watch()
		# It may have been told to another server, which has another Redis since then.
		assert watching.position_of(SOMEBODY) is None
		assert other.position_of(SOMEBODY) is None
		with pytest.raises(CommonStoreError):
			watching.keep_position({SOMEBODY}, Position("0-1-6"))
	finally:
		held.close()
	process_on(redises[1].port).watch()
	time.sleep(SECONDS_LEFT_ALONE + 0.2)
	watching.mark_incomplete()
	watching.keep_position({SOMEBODY}, Position("0-1-6"))
	found = watching._common.position_of(SOMEBODY)
	assert found.position == Position("0-1-6") and found.known_for < 5


@pytest.fixture
def user_of_one_connection(unrouted, servers) -> Iterator[Connector]:
	"""Of a user of the primary who may have one connection at a time."""
	servers.primary.query(
		"create user of_one_connection@'%' identified by 'of_one' with max_user_connections 1"
	)
	servers.primary.query("grant all on *.* to of_one_connection@'%'")
	connector = Connector(routed.primary_of(frappe.local.db))
	connector._settings.update(user="of_one_connection", password="of_one")
	yield connector
	servers.primary.query("drop user of_one_connection@'%'")


def connections_of(user: str, servers) -> int:
	[[count]] = servers.primary.query(
		"select count(*) from information_schema.processlist where user = %s", (user,)
	)
	return count


def unreachable() -> Connector:
	connector = Connector(routed.primary_of(frappe.local.db))
	connector._settings["port"] = free_port()
	return connector


def test_a_frozen_primary_holds_nobody_up_for_long(two, servers):
	one, _ = two
	one.position_of(SOMEBODY)
	servers.primary.freeze()
	try:
		began = time.monotonic()
		threads = [threading.Thread(target=one.position_of, args=(SOMEBODY,)) for _ in range(8)]
		for thread in threads:
			thread.start()
		for thread in threads:
			thread.join(30)
		assert time.monotonic() - began < 4, "they do not wait for each other"
		assert one.position_of(SOMEBODY) is None
	finally:
		servers.primary.thaw()
	time.sleep(SECONDS_LEFT_ALONE)
	assert one.position_of(SOMEBODY) is not None


def test_a_primary_that_is_left_alone_says_so_whatever_it_is_asked(two):
	one, _ = two
	store, store._unavailable_until = one._common, time.monotonic() + 60
	for ask in (
		lambda: store.known_redises("a-host"),
		lambda: store.note("a", "a-host", "a-host:6379"),
		lambda: store.position_of(SOMEBODY),
		lambda: store.keep_position({SOMEBODY}, Position("0-1-5")),
		lambda: one.keep_position({SOMEBODY}, Position("0-1-5")),
	):
		with pytest.raises(CommonStoreError):
			ask()
	one.keep_position((), Position("0-1-5"))
	store._unavailable_until = 0
	one.keep_position((), Position("0-1-5"))


def test_a_row_that_somebody_keeps_locked_is_waited_for_and_not_for_ever(two, servers):
	one, other = two
	one.keep_position({SOMEBODY}, Position("0-1-5"))
	with servers.primary.admin(frappe.conf.db_name) as connection, connection.cursor() as cursor:
		cursor.execute("begin")
		cursor.execute("select * from `tabUser Position` for update")
		rollback = threading.Timer(1.4, connection.rollback)
		rollback.start()
		one.keep_position({SOMEBODY}, Position("0-1-6"))
		rollback.join()
		assert other.position_of(SOMEBODY).position == Position("0-1-6")
		cursor.execute("begin")
		cursor.execute("select * from `tabUser Position` for update")
		began = time.monotonic()
		with pytest.raises(CommonStoreError):
			one.keep_position({SOMEBODY}, Position("0-1-7"))
		assert time.monotonic() - began < 3.5
		connection.rollback()


def test_many_redises_fit_into_an_answer_however_short_the_server_keeps_it(two, servers):
	one, _ = two
	[[before]] = servers.primary.query("select @@global.group_concat_max_len")
	servers.primary.query("set global group_concat_max_len = 64")
	try:
		one._common.close()
		for number in range(20):
			one._common.note(f"{number:016x}", "a-host", "a-host:6379")
		assert len(one._common.known_redises("a-host")) == 22
	finally:
		servers.primary.query(f"set global group_concat_max_len = {before}")


def test_a_long_name_of_a_host_or_of_a_socket_is_cut_off(two):
	store = two[0]._common
	store.note("of-a-socket", "host" * 60, "/sockets" * 30)
	assert [one.seen_here is None for one in store.known_redises("host" * 60)].count(False) == 1


def test_what_hosts_that_are_gone_have_left_costs_nothing(two):
	one, _ = two
	fill("Cache Redis", 15_000, "redis_id, host, seen_at", "concat('redis', seq), 'gone', {gone}")
	fill("User Position", 100_000, "for_whom, gtid, written_at", "sha1(seq), '0-1-1', {gone}")
	for ask in (lambda: one._common.known_redises("a-host"), lambda: one._common.position_of(SOMEBODY)):
		assert rows_read_by(one, ask) < 50
	# Deleted in steps, each of which is soon done, and which replicas can follow.
	assert rows_read_by(one, lambda: one._common.note("a", "a-host", "a-host:6379")) < 10_000
	frappe.db.rollback()
	assert frappe.db.count("Cache Redis") < 15_000 and frappe.db.count("User Position") < 100_000


def fill(doctype: str, rows: int, columns: str, values: str) -> None:
	frappe.db.rollback()
	gone = values.format(gone="utc_timestamp(6) - interval 25 hour")
	frappe.db.sql(f"insert into `tab{doctype}` (name, {columns}) select seq, {gone} from seq_1_to_{rows}")
	frappe.db.commit()


def rows_read_by(process: SeveralRedises, ask: Callable) -> int:
	"""How many rows the server has read for it."""

	def so_far() -> int:
		with process._common._connection.cursor() as cursor:
			cursor.execute("show session status like 'Handler_read%'")
			return sum(int(value) for _, value in cursor.fetchall())

	ask()
	before = so_far()
	ask()
	return so_far() - before


def test_a_connection_that_was_closed_meanwhile_is_opened_again(two, servers):
	one, other = two
	one.keep_position({SOMEBODY}, Position("0-1-5"))
	for process in two:
		servers.primary.query(f"KILL {process._common._connection.thread_id()}")
	one.keep_position({SOMEBODY}, Position("0-1-6"))
	assert other.position_of(SOMEBODY).position == Position("0-1-6")


@pytest.fixture
def led_by(process_on, redises, servers) -> Iterator[tuple[SeveralRedises, OneAddress]]:
	"""A process, and the address of its primary, which led to a replica when it connected."""
	former = servers.replicas[0]
	with one_address(former) as address:
		connector = Connector(routed.primary_of(frappe.local.db))
		connector._settings.update(host=address.host, port=address.port)
		process = process_on(redises[0].port, connector)
		with standing_still(servers):
			process._common.position_of(SOMEBODY)
			address.servers = [servers.primary]
			yield process, address
			former.query("set global read_only = 1")


def test_a_connection_that_stayed_with_a_former_primary_that_is_read_only_is_given_up(led_by):
	process, _ = led_by
	time.sleep(common_store.SECONDS_WITH_A_READ_ONLY_SERVER)
	process._common.keep_position({SOMEBODY}, Position("0-1-5"))
	assert process._common.position_of(SOMEBODY).position == Position("0-1-5")


def test_what_a_former_primary_has_that_is_read_only_is_not_taken_for_all(led_by, process_on, redises):
	process, _ = led_by
	process_on(redises[1].port)._common.keep_position({SOMEBODY}, Position("0-1-5"))
	time.sleep(common_store.SECONDS_WITH_A_READ_ONLY_SERVER)
	assert process._common.position_of(SOMEBODY).position == Position("0-1-5")


def test_a_connection_is_renewed_after_seconds_as_a_former_primary_may_not_know_that_it_is_one(
	led_by, process_on, redises, servers
):
	process, _ = led_by
	servers.replicas[0].query("set global read_only = 0")
	process_on(redises[1].port)._common.keep_position({SOMEBODY}, Position("0-1-5"))
	assert process._common.position_of(SOMEBODY).position == Position()
	time.sleep(common_store.SECONDS_OF_A_CONNECTION)
	assert process._common.position_of(SOMEBODY).position == Position("0-1-5")


def test_a_connection_goes_on_where_no_new_one_is_to_be_had(two, monkeypatch):
	one, other = two
	one.keep_position({SOMEBODY}, Position("0-1-5"))
	other.position_of(SOMEBODY)
	monkeypatch.setattr(common_store, "SECONDS_OF_A_CONNECTION", 0.1)
	other._common._connector = unreachable()
	time.sleep(0.2)
	assert other.position_of(SOMEBODY).position == Position("0-1-5")


def test_before_a_migrate_it_is_as_with_one_redis(process_on, redises):
	tables = ("Cache Redis", "User Position")
	for table in tables:
		frappe.db.sql_ddl(f"rename table `tab{table}` to `tabAway {table}`")
	try:
		process = process_on(redises[0].port)
		process.keep_position({SOMEBODY}, Position("0-1-5"))
		assert process.position_of(SOMEBODY).position == Position("0-1-5")
		assert cache_redises.problems() == []
		with pytest.raises(redis.RedisError):
			process_on(free_port()).keep_position({SOMEBODY}, Position("0-1-6"))
	finally:
		for table in tables:
			frappe.db.sql_ddl(f"rename table `tabAway {table}` to `tab{table}`")


def test_what_was_not_seen_for_a_day_is_deleted(two, process_on, redises):
	two[0].keep_position({SOMEBODY}, Position("0-1-5"))
	age(25 * AN_HOUR, columns=("seen_at",))
	age(25 * AN_HOUR, "User Position", ("written_at",))
	process_on(redises[0].port).watch()
	frappe.db.rollback()
	assert frappe.db.count("Cache Redis") == 1 and frappe.db.count("User Position") == 0


def test_there_are_several_since_the_second_one_came():
	now = [KnownRedis("a", 5000, 1, 1), KnownRedis("b", 40, 2, None), KnownRedis("c", 10, 0, None)]
	assert view_of(now).several_for == 40
	assert view_of(now[:1]).several_for is None
	gone = [KnownRedis("a", 5000, 1, 1), KnownRedis("b", 9000, AN_HOUR + 10, None)]
	assert view_of(gone).several_for is None and view_of(gone).is_kept_on_primary
