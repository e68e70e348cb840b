# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What every Host promises to the engine, as a test class that each of them runs."""

import threading
from dataclasses import replace

import pytest

from read_replica.engine import dialect
from read_replica.engine.router import Router
from read_replica.engine.settings import Endpoint, Need, Settings


class HostContract:
	"""Subclasses give the fixtures `host`, `servers` and `table` (one that a test may write to)."""

	@pytest.fixture
	def endpoint(self, servers) -> Endpoint:
		replica = servers.replicas[0]
		return Endpoint(name="replica01", host=replica.host, port=replica.port)

	@pytest.fixture
	def router(self, host, endpoint) -> Router:
		router = Router(Settings(replicas=(endpoint,)), host)
		yield router
		router.stop()

	def test_what_is_put_in_place_is_current(self, host):
		before = host.current()
		other = object()
		host.put(other, host.state())
		assert host.current() is other
		host.put(before, host.state())
		assert host.current() is before

	def test_the_frames_are_one_list_per_thread_and_empty_at_first(self, host):
		assert host.state().frames == []
		assert host.state().frames is host.state().frames
		others = []
		thread = threading.Thread(target=lambda: others.append(host.state().frames))
		thread.start()
		thread.join(10)
		assert others == [[]] and others[0] is not host.state().frames

	def test_a_write_is_pending_until_the_transaction_ends(self, host, table):
		database = host.current()
		assert not host.pending_writes(database)
		for end in (database.rollback, database.commit):
			database.sql(f"DELETE FROM {table} WHERE 1 = 0")
			assert host.pending_writes(database)
			end()
			assert not host.pending_writes(database)

	def test_a_row_lock_and_a_savepoint_are_pending_as_well(self, host, table):
		database = host.current()
		for statement in (f"SELECT * FROM {table} LIMIT 1 FOR UPDATE", "SAVEPOINT here"):
			database.sql(statement)
			assert host.pending_writes(database)
			database.rollback()
			assert not host.pending_writes(database)

	def test_a_read_is_not_pending_and_its_transaction_can_be_ended(self, host, table):
		database = host.current()
		database.sql(f"SELECT * FROM {table} LIMIT 1")
		assert not host.pending_writes(database)
		host.end_transaction(database)
		host.end_transaction(database)
		assert database.sql("SELECT @@server_id")[0][0] == 1

	def test_connect_opens_a_connection_to_the_endpoint_in_the_programs_database(self, host, endpoint):
		name = host.current().sql("SELECT DATABASE()")[0][0]
		connection = host.connect(endpoint, timeout=1)
		try:
			assert dialect.execute(connection, "SELECT @@server_id, DATABASE()") == (2, name)
		finally:
			connection.close()

	def test_a_connection_that_cannot_be_opened_is_a_lost_one_to_the_dialect(self, host, endpoint):
		with pytest.raises(Exception) as raised:
			host.connect(replace(endpoint, port=1), timeout=1)
		assert dialect.kind_of(raised.value) is dialect.ErrorKind.LOST

	def test_what_wrap_returns_sends_each_statement_through_its_scope(self, host, router):
		with router.read_only(Need(), "report") as scope:
			assert host.current() is scope.database
			before = scope.statements
			assert scope.database.sql("SELECT @@server_id")[0][0] == 2
			assert scope.statements == before + 1

	def test_a_wrapped_database_commits_and_rolls_back_the_primary(self, host, router, table):
		primary = host.current()
		for end in ("commit", "rollback"):
			primary.sql("SELECT 1")
			with router.read_only(Need(), "report") as scope:
				primary.sql(f"DELETE FROM {table} WHERE 1 = 0")
				assert host.pending_writes(primary)
				getattr(scope.database, end)()
				assert not host.pending_writes(primary)

	def test_a_wrapped_database_asks_the_primary_once_its_scope_has_ended(self, host, router):
		with router.read_only(Need(), "report") as scope:
			kept = scope.database
		assert kept.sql("SELECT @@server_id")[0][0] == 1

	def test_a_method_added_as_a_writer_is_known_to_all(self, host):
		host.shared.add_writer("contract.method", 2_000_000_000.0)
		assert host.shared.load_writers()["contract.method"] == 2_000_000_000.0

	def test_what_is_asked_of_the_primary_is_answered_there_and_leaves_no_write_pending(self, host):
		assert host.ask_primary(host.current(), "SELECT @@server_id") == (1,)
		assert not host.pending_writes(host.current())

	def test_a_connection_to_the_primary_can_be_opened_from_any_thread(self, host):
		answers = []

		def work() -> None:
			connection = host.connect(None, timeout=1)
			answers.append(dialect.execute(connection, "SELECT @@server_id, @@gtid_binlog_pos <> ''"))
			connection.close()

		thread = threading.Thread(target=work)
		thread.start()
		thread.join(10)
		assert answers == [(1, 1)]

	def test_a_commit_of_writes_is_noted_and_one_of_reads_is_not(self, host, table):
		host.current().sql("SELECT 1")
		host.current().commit()
		assert not host.state().committed and not host.state().own
		host.current().sql(f"DELETE FROM {table} WHERE 1 = 0")
		host.current().commit()
		# Where there is a router, its position has been asked for already.
		assert host.state().committed or host.state().own
		host.state().committed = False

	def test_the_user_has_a_name(self, host):
		assert isinstance(host.user(), str) and host.user()

	def test_an_event_can_be_logged(self, host):
		host.log("contract", replica="replica01", count=1)

	def test_a_log_row_is_known_and_another_write_is_none(self, host, log_table, table):
		assert host.log_names(log_table, f"INSERT INTO `{log_table}` VALUES (1)") == (log_table,)
		assert host.log_names(table.strip("`"), f"DELETE FROM {table}") == ()
