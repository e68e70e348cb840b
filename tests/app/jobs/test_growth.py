# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a request, an enqueue or a tick pays does not grow with what piles up: rows and answers are counted."""

import itertools
import socket
from collections.abc import Callable

import frappe
import pytest
from frappe.utils import get_bench_id
from frappe.utils.background_jobs import create_job_id, get_queue, get_redis_conn

from read_replica.core import rq_data
from read_replica.jobs import queues, rule_set, rules, server_rows, servers
from read_replica.jobs import tick as ticks
from read_replica.jobs.rule_set import Rule, RuleSet

from ..watch.test_job_findings import minutes_pass, own_queues, worker
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
	# As after a while; right now the server knows nothing of so many new rows, and may not use an index.
	frappe.db.sql("analyze table `tabJob Server`")


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
	for known in (servers.load(), servers.load(["secondary"])):
		assert 2 * 86400 < known["secondary"].age < 2 * 86400 + 60
		assert known["secondary"].is_gone(900)


def test_a_server_with_one_host_that_is_alive_is_alive_beside_those_that_are_gone(own_queues):
	rule(HOURLY, "secondary")
	add_hosts_that_are_gone("secondary")
	with worker("secondary"):
		ticks.Tick()
	known = servers.load(["secondary"])["secondary"]
	assert not known.is_gone(900) and known.age < 60


def test_hosts_that_are_gone_for_a_month_are_deleted_by_ticks_but_for_what_is_known_of_a_server(own_queues):
	rule(HOURLY, "secondary")
	for server_id in ("primary", "secondary", "nobody-names-it"):
		add_hosts_that_are_gone(server_id, days_ago=31)
	for _ in range(3 * GONE // server_rows.ROWS_AT_A_TIME + 2):
		ticks._counted_at.clear()
		ticks.Tick()
	left = dict(
		frappe.db.sql("select server_id, count(*) from `tabJob Server` group by server_id order by server_id")
	)
	assert left.pop("primary") == 1
	assert 0 < left.pop("secondary") <= server_rows.HOSTS_PER_SERVER + 3
	# The rule of another test's, that nobody has ever seen.
	left.pop("elsewhere", None)
	assert not left
	assert servers.load(["secondary"])["secondary"].age > 31 * 86400


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


def test_jobs_of_other_sites_in_the_queue_of_a_server_that_is_gone_are_passed_over_by_their_ids(own_queues):
	queue = get_queue("secondary")
	others = [create_job_id(f"job{at}").replace(frappe.local.site, "another.test", 1) for at in range(2500)]
	get_redis_conn().rpush(queue.key, *others)
	# v16 takes no more than so many.
	with pytest.MonkeyPatch.context() as patch:
		patch.setitem(frappe.local.conf, "max_queued_jobs", 10_000)
		ours = frappe.enqueue("frappe.utils.now", queue="secondary")
	fetched, looks, start = [], 0, 0
	with pytest.MonkeyPatch.context() as patch:
		fetch = rq_data.fetch
		patch.setattr(rq_data, "fetch", lambda redis, ids: fetched.extend(ids) or fetch(redis, ids))
		while start is not None:
			look = queues.waiting_jobs("secondary", frappe.local.site, start)
			start, looks = look.next_position, looks + 1
	assert fetched == [ours.id] == [job.id for _, job in look.jobs]
	assert look.jobs[0][0] == 2500 and looks == 3


def test_jobs_of_this_site_behind_those_that_one_look_can_take_are_moved_in_the_end(own_queues):
	rule("frappe.utils.now", "secondary")
	minutes_pass(0, ticking=("primary", "secondary"))
	for at in range(5):
		frappe.enqueue("frappe.utils.now", job_name=f"stays {at}", queue="secondary")
		frappe.enqueue("frappe.utils.now", job_name=f"moves {at}")
	minutes_pass(20)
	with pytest.MonkeyPatch.context() as patch:
		patch.setattr(queues, "JOBS_AT_A_TIME", 2)
		patch.setattr(queues, "IDS_AT_A_TIME", 3)
		with worker("primary"):
			for _ in range(8):
				ticks.Tick()
	assert sorted(job.kwargs["job_name"] for job in get_queue("primary").jobs) == [
		f"moves {at}" for at in range(5)
	]
	assert sorted(job.kwargs["job_name"] for job in get_queue("secondary").jobs) == [
		f"stays {at}" for at in range(5)
	]


def test_rules_are_read_again_only_when_one_has_changed(due):
	rule("sample_app.jobs.*", "secondary")
	rules.forget_rules()
	assert rules.rule_for(HOURLY).server_id == "secondary"
	loaded = []
	with pytest.MonkeyPatch.context() as patch:
		load = rules._load
		patch.setattr(rules, "_load", lambda: loaded.append(1) or load())
		rules.forget_rules()
		assert rules.rule_for(HOURLY).server_id == "secondary"
		assert not loaded
		for statement in (
			"update `tabScheduler Config` set server_id = 'third'",
			"update `tabScheduler Config` set `reads` = 'Replica'",
			"update `tabScheduler Config` set takeover_after = 1",
			"update `tabScheduler Config` set enabled = 0",
			"update `tabScheduler Config` set enabled = 1",
			"delete from `tabScheduler Config`",
		):
			before = rules.rule_for(HOURLY)
			frappe.db.sql(statement)
			rules.forget_rules()
			assert rules.rule_for(HOURLY) != before
		assert len(loaded) == 6


def test_a_thousand_patterns_are_not_all_tried_on_a_method():
	tried = []
	with pytest.MonkeyPatch.context() as patch:
		matches = Rule.matches
		patch.setattr(Rule, "matches", lambda rule, job: tried.append(rule) or matches(rule, job))
		rules = RuleSet(Rule(f"app.module_{at}.*", f"server{at}", "desk") for at in range(1000))
		for _ in range(10):
			assert rules.rule_for("app.module_7.job").server_id == "server7"
			assert rules.rule_for("app.another.job") is None
	assert len(tried) < 10


def test_the_rule_that_counts_is_that_of_a_look_at_all_of_them():
	names = [
		".".join(parts) for parts in itertools.product(("a", "ab", "b"), ("c", "cd", "[c]"), ("x", "xy"))
	]
	patterns = [
		*names[:3],
		"*",
		"?*",
		"a*",
		"ab.*",
		"*.x",
		"a.*.x",
		"a?.c*",
		"*d.xy",
		"a.[c].*",
		"b.c?.*",
		"??.*",
	]
	for number in range(1, len(patterns) + 1):
		rules = [Rule(pattern, "server", "desk") for pattern in patterns[:number]]
		for name in names:
			fitting = [rule for rule in rules if rule.matches(name)]
			given = {
				rule: (not rule.is_glob, len(rule.job.replace("*", "").replace("?", ""))) for rule in fitting
			}
			best = [rule for rule in fitting if given[rule] == max(given.values())]
			expected = min(best, key=lambda rule: rule.job) if best else None
			assert RuleSet(rules).rule_for(name) == expected


def test_answers_for_methods_that_nobody_asks_for_again_are_not_kept_for_ever():
	rules = RuleSet([Rule("app.*", "secondary", "desk")])
	with pytest.MonkeyPatch.context() as patch:
		patch.setattr(rule_set, "MOST_ANSWERS", 10)
		for at in range(1000):
			assert rules.rule_for(f"app.job_{at}").server_id == "secondary"
			assert len(rules._answers) <= 10


def test_a_long_list_of_waiting_jobs_is_read_a_minute_later_for_each_thousand_of_them(due, monkeypatch):
	queue = get_queue("default")
	get_redis_conn().rpush(queue.key, *(f"job{at}" for at in range(2000)))
	monkeypatch.setattr(queues, "_long_lists", {})
	read = []
	waiting_ids = rq_data.waiting_ids
	monkeypatch.setattr(rq_data, "waiting_ids", lambda *args: read.append(1) or waiting_ids(*args))

	def stands(job_id: str, queued_age: float | None = None) -> bool:
		return queues.QueueLists().contains(queue.name, job_id, queued_age)

	assert stands("job1999") and stands("job0") and len(read) == 1
	read_at, ids = queues._long_lists[queue.name]
	queues._long_lists[queue.name] = read_at - 60, ids
	# It is in the list that was read; or may have come since.
	assert stands("job0") and stands("new", queued_age=30) and len(read) == 1
	# It should have been there.
	assert not stands("lost", queued_age=90) and len(read) == 2
	assert not stands("not known") and len(read) == 3
	read_at, ids = queues._long_lists[queue.name]
	queues._long_lists[queue.name] = read_at - 121, ids
	get_redis_conn().lrem(queue.key, 1, "job0")
	assert not stands("job0") and not stands("new", queued_age=30) and len(read) == 5
