# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""`top` shows what the replicas of a site do, and ends a statement of the site's own user alone."""

import json
import threading

import frappe
import pytest

from read_replica.database.host import shared_of_site
from read_replica.site import router_of_site
from read_replica.watch import top
from read_replica.watch.top_report import Rate
from support.bench import SITE
from support.waiting import until


@pytest.fixture
def looker(site):
	looker = top.Looker(longer_than=0)
	yield looker
	looker.close()


@pytest.fixture
def sleeper(site):
	"""A statement of the site's user that runs on the first replica, and the error that ends it."""
	connection, errors = router_of_site().replicas[0].connect(), []

	def run():
		try:
			connection.cursor().execute("select sleep(60), 'a secret'")
		except Exception as error:
			errors.append(error)

	thread = threading.Thread(target=run, daemon=True)
	thread.start()
	yield errors
	thread.join(90)
	assert not thread.is_alive()
	connection.close()


def test_it_shows_each_replica_and_what_runs_there_and_ends_what_is_named(looker, sleeper):
	until(lambda: looker.look().running)
	found = looker.look()
	first, second = found.replicas
	assert (first.state, second.state) == ("up", "up") and first.lag_seconds is not None
	assert first.connections >= 1
	[one] = found.running
	assert one.replica == first.name and "sleep(?)" in one.statement and "secret" not in one.statement
	for wrong in (
		f"1@{first.name}",
		"1",
		f"x@{first.name}",
		f"{one.id.partition('@')[0]}@{second.name}",
		"1@nowhere",
	):
		with pytest.raises(top.NotRunning):
			looker.end(wrong)
	looker.end(one.id)
	until(lambda: sleeper)
	assert sleeper[0].args[0] == 1317
	assert looker.look().running == []


def test_rates_are_what_was_counted_between_two_looks(looker):
	looker.look()
	shared_of_site().add_counts({("replica01", "read", "a.b"): (7, 0.1)})
	[rate] = [one for one in looker.look().rates if one.method == "a.b"]
	assert (rate.server, rate.reason) == ("replica01", "read") and rate.per_second > 0
	assert not [one for one in looker.look().rates if one.method == "a.b"]


def test_counters_that_began_again_count_from_0():
	before, now = (
		{("r", "read", "a"): 10, ("r", "read", "b"): 5},
		{("r", "read", "a"): 4, ("r", "read", "b"): 5},
	)
	assert top.rates(before, now, 2) == [Rate("r", "read", "a", 2)]


def test_a_replica_that_is_down_is_shown_and_the_others_are_too(looker, servers):
	looker.look()
	servers.replicas[0].kill()
	try:
		first, second = looker.look().replicas
		assert first.connections is None and first.error and second.connections is not None
	finally:
		servers.replicas[0].start()
		servers.catch_up()


def test_without_replicas_it_says_so(site):
	site.configure(read_replica={})
	frappe.destroy()
	frappe.init(site=SITE)
	frappe.connect()
	with pytest.raises(top.NoReplica, match="reads from no replica"):
		top.Looker()


def test_the_command_prints_one_frame_as_json_or_as_tables(configured):
	found = configured.run("--site", SITE, "read-replica", "top", "--json", "--every", "0.5")
	assert found.returncode == 0, found.stderr
	report = json.loads(found.stdout)
	assert [one["state"] for one in report["replicas"]] == ["up", "up"] and report["seconds"] >= 0.5
	said = configured.bench("--site", SITE, "read-replica", "top", "--once", "--every", "0.5")
	assert "replica01" in said and "Per second" in said
	wrong = configured.run("--site", SITE, "read-replica", "top", "--kill", "1@replica01", "--every", "0.5")
	assert wrong.returncode == 1 and "nothing was ended" in wrong.stderr and "Traceback" not in wrong.stderr
