# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Several servers behind one address: each is judged by what it is, whichever of them the probe has reached."""

import threading
import time
from dataclasses import replace

import pytest

from read_replica.engine.dialect import Position
from read_replica.engine.health import backends
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import DEFAULTS, Endpoint, Need
from support.one_address import one_address
from support.trouble import delayed, stopped

from ..conftest import close, make_router, until
from ..test_trouble import on_one_server_alone

EVENTUAL = Need(consistency="eventual")
SESSION = Need(consistency="session")
STRONG = Need(consistency="strong")

# As the names of their folders say.
NAMES = {1: "primary", 2: "replica01", 3: "replica02"}


@pytest.fixture
def address(shop):
	with one_address(*shop.replicas) as address:
		yield address


@pytest.fixture
def router(host, address):
	router = make_router(host, Endpoint(name="readers", host=address.host, port=address.port))
	router.health.check_if_unknown()
	yield router
	close(router)


@pytest.fixture(params=[stopped("SQL_THREAD"), delayed], ids=lambda trouble: trouble.name)
def one_late(request, shop):
	"""The second of the two servers is late."""
	late = shop.replicas[1]
	request.param.begin(late)
	yield late
	request.param.undo(late)
	shop.catch_up()


def on_another_connection(router) -> None:
	"""Let the next call open a connection, which leads to the next server."""
	router.replicas[0].pool.close_idle()


def quantity(host) -> int:
	return host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'")[0][0]


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def save(host, router, quantity: int) -> None:
	"""A request that changes the stock."""
	host.current().sql("UPDATE stock SET qty = %s WHERE item = 'bolt'", (quantity,))
	host.current().commit()
	host.end_request(router)


def test_what_a_user_has_written_is_never_missed(one_late, host, router):
	missed, answered_by = [], set()
	for number in range(60):
		save(host, router, number)
		# The probe has seen it on the server that it asks.
		router.health.run_round()
		on_another_connection(router)
		with router.read_only(SESSION, "list"):
			if quantity(host) != number:
				missed.append(number)
			answered_by.add(server_id(host))
		host.end_request(router)
	assert not missed
	assert 2 in answered_by, "the one that is in step answers"


def test_strong_is_never_stale(one_late, host, router, shop):
	for number in range(20):
		shop.primary.query("UPDATE shop.stock SET qty = %s WHERE item = 'bolt'", (number,))
		router.health.run_round()
		on_another_connection(router)
		with router.read_only(STRONG, "list"):
			assert quantity(host) == number
		host.end_request(router)


@pytest.fixture
def long_late(shop):
	"""The second of the two servers has stood still for more than a second, and goes on doing so."""
	late = shop.replicas[1]
	late.query("STOP SLAVE SQL_THREAD")
	yield late
	late.query("START SLAVE")
	shop.catch_up()


def let_it_be_late(router, shop) -> float:
	"""Commit something, and return the time when that was more than 0.6 s ago and known."""
	router.health.run_round()
	shop.primary.query("UPDATE shop.stock SET qty = 77 WHERE item = 'bolt'")
	shop.replicas[0].catch_up(shop.primary)
	written_at = time.time()
	time.sleep(0.7)
	router.health.run_round()
	return written_at


def test_no_server_answers_that_is_later_than_a_call_accepts(long_late, host, router, shop):
	let_it_be_late(router, shop)
	stale, answers = 0, set()
	for _ in range(60):
		on_another_connection(router)
		with router.read_only(Need(consistency="eventual", max_lag=0.6), "list"):
			stale += quantity(host) != 77
			answers.add(server_id(host))
	assert not stale
	assert 2 in answers, "the one that is in step answers"


def test_nor_one_whose_answer_of_a_moment_ago_was_just_good_enough(host, router, monkeypatch):
	monkeypatch.setattr(backends, "SECONDS_AN_ANSWER_HOLDS", 60)
	probed = router.health.verdict_of("readers")
	[other] = router.replicas[0].servers() - {probed.server}
	router.selector._servers.note(replace(probed, server=other, lag=9.5))
	time.sleep(0.7)
	answered = set()
	for _ in range(6):
		on_another_connection(router)
		with router.read_only(Need(consistency="eventual", max_lag=10), "list") as scope:
			answered.add(scope.server)
	assert answered == {probed.server}


def test_how_fresh_data_is_said_to_be_is_true_of_the_server_that_answers(long_late, host, router, shop):
	written_at = let_it_be_late(router, shop)
	said = []
	for _ in range(10):
		on_another_connection(router)
		with router.read_only(Need(consistency="eventual", max_lag=600), "list") as scope:
			said.append((server_id(host), quantity(host) == 77, scope.as_of.time >= written_at))
			[[has]] = host.current().sql("SELECT @@gtid_slave_pos")
			assert Position(has).covers(scope.as_of.position)
	assert all(is_fresh == says_so for _, is_fresh, says_so in said), said
	assert {server for server, *_ in said} == {2, 3}


def test_the_server_in_step_answers_also_while_the_probe_is_with_the_late_one(long_late, host, address, shop):
	address.servers = [long_late]
	router = make_router(host, Endpoint(name="readers", host=address.host, port=address.port))
	router.health.check_now()
	address.servers = shop.replicas
	let_it_be_late(router, shop)

	def answered_by() -> int:
		with router.read_only(Need(consistency="eventual", max_lag=0.6), "list"):
			return server_id(host)

	# Once it was found out that there is another one.
	until(lambda: answered_by() == 2)
	assert {answered_by() for _ in range(20)} == {2}
	close(router)


def test_others_are_looked_for_as_soon_as_the_server_that_has_answered_will_not_do(
	long_late, host, address, shop
):
	address.servers = [long_late]
	router = make_router(host, Endpoint(name="readers", host=address.host, port=address.port))
	router.health.check_now()
	answers = []
	for max_lag in (600, 0.6):
		with router.read_only(Need(consistency="eventual", max_lag=max_lag), "list"):
			answers.append(server_id(host))
		address.servers = shop.replicas
		let_it_be_late(router, shop)
	assert answers == [3, 2]
	close(router)


@pytest.mark.parametrize("need", [EVENTUAL, SESSION, STRONG], ids=["eventual", "session", "strong"])
def test_servers_in_step_are_all_used(host, router, need):
	answers = []
	for number in range(20):
		save(host, router, number)
		on_another_connection(router)
		with router.read_only(need, "list"):
			answers.append(server_id(host))
			assert need is EVENTUAL or quantity(host) == number
	assert answers.count(2) > 5 and answers.count(3) > 5


def test_behind_a_proxy_that_may_change_the_server_each_call_asks_first(one_late, host, router, monkeypatch):
	# Stands for MaxScale or ProxySQL, which greet with a connection id of their own.
	monkeypatch.setattr("read_replica.engine.dialect.identity.is_direct", lambda connection, row: False)
	on_another_connection(router)
	answered_by = set()
	for number in range(20):
		save(host, router, number)
		with router.read_only(SESSION, "list") as scope:
			assert quantity(host) == number
			answered_by.add(server_id(host))
			if scope:
				scope.refresh()
				assert scope.pinned
		host.end_request(router)
		on_another_connection(router)
	assert 2 in answered_by
	assert router.replicas[0].servers() == {""}


def test_where_one_connection_leads_through_such_a_proxy_no_other_is_taken_for_a_direct_one(
	host, router, monkeypatch
):
	# The proxy and the servers count their connections, and now and then the numbers are the same.
	seems_direct = iter((False, True, True))
	monkeypatch.setattr(
		"read_replica.engine.dialect.identity.is_direct", lambda connection, row: next(seems_direct)
	)
	for _ in range(3):
		on_another_connection(router)
		with router.read_only(EVENTUAL, "list") as scope:
			scope.refresh()
			assert scope.pinned, "after that, another server may answer"
	assert next(seems_direct, None) is None


def test_behind_such_a_proxy_the_server_is_asked_in_the_transaction_that_a_call_stays_in(
	shop, host, router, monkeypatch
):
	monkeypatch.setattr("read_replica.engine.dialect.identity.is_direct", lambda connection, row: False)
	on_another_connection(router)
	for replica in shop.replicas:
		on_one_server_alone(replica, "TRUNCATE TABLE mysql.general_log")
		replica.query("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1")
	with router.read_only(EVENTUAL, "list"):
		[[number, connection]] = host.current().sql("SELECT @@server_id, CONNECTION_ID()")
	for replica in shop.replicas:
		replica.query("SET GLOBAL general_log = 0")
	asked = shop.replicas[number - 2].query(
		"SELECT convert(argument USING utf8mb4) FROM mysql.general_log"
		f" WHERE thread_id = {connection} AND command_type = 'Query' ORDER BY event_time"
	)
	statements = [statement for [statement] in asked]
	began = statements.index("START TRANSACTION READ ONLY")
	after = [place for place, statement in enumerate(statements) if "@@gtid_slave_pos" in statement]
	assert after and began < after[0]


def test_a_server_that_freezes_before_it_is_asked_is_passed_over(shop, host, router):
	probed = router.health.verdict_of("readers").server.split()[0]
	other = shop.replicas[1 if probed == "2" else 0]

	def answered_by() -> int:
		on_another_connection(router)
		with router.read_only(EVENTUAL, "list"):
			return server_id(host)

	until(lambda: answered_by() == other.server_id)
	other.freeze()
	over = threading.Timer(20, other.thaw)
	over.start()
	try:
		# What it has said of itself does not hold any more.
		time.sleep(1.1)
		with router.read_only(EVENTUAL, "list"):
			assert server_id(host) != other.server_id
	finally:
		over.cancel()
		other.thaw()
	assert router.metrics.of("readers", Reason.LOST) == 0, "no statement of the call was sent there"


def test_the_servers_behind_an_address_can_be_told(host, router):
	assert sorted(server.split()[0] for server in router.replicas[0].servers()) == ["2", "3"]


@pytest.fixture
def follows_another(shop):
	"""The second server has transactions that the primary never had, and not what it commits now."""
	strange = shop.replicas[1]
	strange.query("STOP SLAVE")
	[[before]] = strange.query("SELECT @@gtid_slave_pos")
	strange.query("SET GLOBAL gtid_slave_pos = '0-1-999999999'")
	yield strange
	strange.query(f"SET GLOBAL gtid_slave_pos = '{before}'")
	strange.query("START SLAVE")
	shop.catch_up()


def test_a_primary_that_does_not_answer_keeps_no_server_from_answering(host, router, shop):
	"""A server that is ahead of what was last seen of the primary is asked about there."""
	[[connection]] = host.current().sql("SELECT CONNECTION_ID()")
	router.health.check_now()
	probed = int(router.health.verdict_of("readers").server.split()[0])
	router.stop()
	shop.primary.query("UPDATE shop.stock SET qty = 5 WHERE item = 'bolt'")
	shop.catch_up()
	shop.primary.query(f"KILL {connection}")
	answers = set()
	for _ in range(4):
		on_another_connection(router)
		selection = router.selector.find(DEFAULTS, Position(), host.current())
		answers.add(int(selection.lease.server.split()[0]))
		selection.lease.give_back()
	assert answers == {2, 3} and probed in answers


@pytest.mark.parametrize("need", [EVENTUAL, SESSION, STRONG], ids=["eventual", "session", "strong"])
def test_a_server_that_has_what_the_primary_never_had_is_not_taken_for_the_freshest(
	follows_another, host, router, need
):
	answered_by = []
	for number in range(6):
		save(host, router, number)
		router.health.run_round()
		on_another_connection(router)
		with router.read_only(need, "list"):
			answered_by.append((server_id(host), quantity(host) == number))
		host.end_request(router)
	assert 3 not in [server for server, _ in answered_by], answered_by
	assert 2 in [server for server, _ in answered_by], "the one that is in step answers"


def test_a_call_on_a_server_that_freezes_is_freed_while_the_probe_is_with_another(shop, host, router):
	frozen = shop.replicas[1]
	while True:
		on_another_connection(router)
		with router.read_only(EVENTUAL, "list"):
			if server_id(host) != 3:
				continue
			frozen.freeze()
			over = threading.Timer(10, frozen.thaw)
			over.start()
			try:
				began = time.monotonic()
				answered_by = server_id(host)
				took = time.monotonic() - began
			finally:
				over.cancel()
				frozen.thaw()
			break
	assert answered_by != 3 and took < 5


def test_a_call_that_takes_long_on_a_server_that_the_probe_is_not_with_is_left_in_peace(host, router):
	answered_by = 0
	while answered_by != 3:
		on_another_connection(router)
		with router.read_only(EVENTUAL, "list"):
			# SLEEP gives 0 where nothing has cut it short.
			[[interrupted, answered_by]] = host.current().sql("SELECT SLEEP(2.5), @@server_id")
			assert not interrupted
	assert router.metrics.of("readers", Reason.LOST) == 0


def waits_of(server) -> int:
	"""How often calls have waited there for a position; the looks at its health wait 0.25 s."""
	[[count]] = server.query(
		"SELECT count(*) FROM mysql.general_log WHERE argument LIKE '%MASTER_GTID_WAIT(%'"
		" AND argument NOT LIKE '%, 0.250)%' AND argument NOT LIKE '%, 0.000)%'"
		" AND argument NOT LIKE '%general_log%'"
	)
	return count


def test_a_late_server_that_the_probe_has_not_reached_is_not_waited_for_again_and_again(
	shop, host, address, router
):
	late = shop.replicas[1]
	late.query("STOP SLAVE SQL_THREAD")
	on_one_server_alone(late, "TRUNCATE TABLE mysql.general_log")
	late.query("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1")
	try:
		address.servers = [late]
		for number in range(5):
			save(host, router, number)
			router.health.run_round()
			with router.read_only(SESSION, "list"):
				assert quantity(host) == number
			host.end_request(router)
			# What it has said of itself does not hold any more.
			time.sleep(1.1)
		assert 1 <= waits_of(late) <= 2
	finally:
		late.query("SET GLOBAL general_log = 0")
		late.query("START SLAVE SQL_THREAD")
		shop.catch_up()


def test_a_late_server_that_the_probe_has_not_reached_answers_once_it_has_caught_up(
	shop, host, address, router
):
	late = shop.replicas[1]

	def probe_has_reached_the_other() -> bool:
		router.health.release()
		router.health.check_now()
		verdict = router.health.verdict_of("readers")
		return verdict is not None and verdict.server.startswith("2 ")

	until(probe_has_reached_the_other)
	late.query("STOP SLAVE SQL_THREAD")
	address.servers = [late]
	save(host, router, 1)
	answers = []
	for _ in range(2):
		on_another_connection(router)
		try:
			with router.read_only(SESSION, "list"):
				answers.append((server_id(host), quantity(host)))
		finally:
			late.query("START SLAVE SQL_THREAD")
		shop.catch_up()
		# What it has said of itself does not hold any more, but that a call has waited in vain is still known.
		time.sleep(1.1)
	assert answers == [(1, 1), (3, 1)]


@pytest.mark.parametrize("connections", [2, 10])
def test_connections_to_late_servers_do_not_keep_a_process_from_the_one_in_step(
	long_late, host, address, shop, monkeypatch, connections
):
	monkeypatch.setattr("read_replica.engine.health.backends.SECONDS_BETWEEN_LOOKS", 1)
	readers = Endpoint(name="readers", host=address.host, port=address.port)
	router = make_router(host, readers, connections_per_replica=connections)
	let_it_be_late(router, shop)
	need = Need(consistency="eventual", max_lag=0.6)

	def answered_by() -> int:
		with router.read_only(need, "list"):
			return server_id(host)

	on_another_connection(router)
	address.servers = [long_late]
	assert {answered_by() for _ in range(10)} == {1}
	address.servers = shop.replicas
	until(lambda: answered_by() == 2)
	close(router)
