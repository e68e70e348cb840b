# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a request, an enqueue or a tick pays does not grow with what piles up: rows and answers are counted."""

import socket
from collections.abc import Callable

import frappe
import pytest
from frappe.utils import get_bench_id

from read_replica import servers
from read_replica import tick as ticks

from .test_job_servers import own_queues, worker
from .test_jobs import HOURLY, rule
from .test_scheduled_runs import hourly

__all__ = ["hourly", "own_queues"]

GONE = 3000


def rows_read(work: Callable) -> int:
	"""How many rows the primary has read for this connection meanwhile."""

	def count() -> int:
		found = frappe.db.sql("show session status like 'Handler_read%'")
		return sum(int(value) for _, value in found)

	before = count()
	# Asking takes some rows as well.
	asking = count() - before
	before = count()
	work()
	return count() - before - asking


def add_hosts_that_are_gone(server_id: str, days_ago: float = 1) -> None:
	frappe.db.sql(
		"insert into `tabJob Server` (name, server_id, host, bench, queues, missed_since, workers_alive_at,"
		" scheduler_alive_at) select concat(hex(%s), seq), %s, concat('pod-', seq), %s, 'secondary',"
		" utc_timestamp() - interval %s second - interval seq second,"
		" utc_timestamp() - interval %s second - interval seq second,"
		" if(seq %% 3, null, utc_timestamp() - interval %s second - interval seq second)"
		f" from seq_1_to_{GONE}",
		(server_id, server_id, get_bench_id(), *[days_ago * 86400] * 3),
	)
	frappe.db.commit()


def test_an_enqueue_that_a_rule_fits_reads_no_row_of_hosts_that_are_gone(own_queues):
	rule("frappe.utils.now", "secondary")
	add_hosts_that_are_gone("secondary")
	frappe.enqueue("frappe.utils.now")
	assert rows_read(lambda: frappe.enqueue("frappe.utils.now")) < GONE / 10


def test_a_tick_reads_no_row_of_hosts_that_are_gone(own_queues):
	rule(HOURLY, "secondary")
	for server_id in ("primary", "secondary"):
		add_hosts_that_are_gone(server_id)
	ticks.Tick()
	ticks._counted_at.clear()
	with worker("secondary"):
		assert rows_read(ticks.Tick) < GONE / 3


@pytest.mark.parametrize("named", [True, False])
def test_a_server_whose_hosts_are_all_gone_was_last_seen_with_the_last_of_them(own_queues, named):
	if named:
		rule(HOURLY, "secondary")
	add_hosts_that_are_gone("secondary", days_ago=2)
	add_hosts_that_are_gone("SECONDARY", days_ago=0)
	for known in (servers.known(), servers.known(["secondary"])):
		assert 2 * 86400 < known["secondary"].age < 2 * 86400 + 60
		assert known["secondary"].is_gone(900)
		assert known["secondary"].queues == {"secondary"}


def test_a_server_with_one_host_that_is_alive_is_alive_beside_those_that_are_gone(own_queues):
	rule(HOURLY, "secondary")
	add_hosts_that_are_gone("secondary")
	with worker("secondary"):
		ticks.Tick()
	known = servers.known(["secondary"])["secondary"]
	assert not known.is_gone(900) and known.age < 60


def test_hosts_that_are_gone_for_a_month_are_deleted_by_ticks_but_for_what_is_known_of_a_server(own_queues):
	rule(HOURLY, "secondary")
	for server_id in ("primary", "secondary", "nobody-names-it"):
		add_hosts_that_are_gone(server_id, days_ago=31)
	for _ in range(3 * GONE // servers.ROWS_AT_A_TIME + 2):
		ticks._counted_at.clear()
		ticks.Tick()
	left = dict(
		frappe.db.sql("select server_id, count(*) from `tabJob Server` group by server_id order by server_id")
	)
	assert left.pop("primary") == 1
	assert 0 < left.pop("secondary") <= servers.HOSTS_THAT_COUNT + 3
	# The rule of another test's, that nobody has ever seen.
	left.pop("elsewhere", None)
	assert not left
	assert servers.known(["secondary"])["secondary"].age > 31 * 86400


def test_the_number_of_a_servers_jobs_is_that_of_its_rules_and_none_without(own_queues):
	def jobs() -> dict:
		ticks._counted_at.clear()
		ticks.Tick()
		found = frappe.db.sql(
			"select server_id, jobs from `tabJob Server` where host in ('pod-1', %s)", socket.gethostname()
		)
		return dict(found)

	with worker("secondary"):
		add_hosts_that_are_gone("third", days_ago=0)
		rule(HOURLY, "third")
		assert jobs() == {"primary": 0, "third": 1}
		frappe.db.set_value("Scheduler Config", {"server_id": "third"}, "server_id", "secondary")
		frappe.db.commit()
		assert jobs() == {"primary": 0, "secondary": 1, "third": 0}
