# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks of the site itself: its schedulers, workers, queues, jobs and rules.

What they find is found by whoever calls the doctor, as `status` says the same; here stands what is right, and what
mends it.
"""

from collections.abc import Callable, Iterator, Mapping

from read_replica.deploy.doctor import Check, Trouble

TAGS = ("site",)
# Frappe asks Redis for much, and nothing is known of the site if that refuses.
FOLLOW_ALL = ("redis-reachable", "redis-is-no-replica")


class Told:
	"""What was found of each kind of problem, in sentences, by the ids of checks.

	:param findings: what finds them; called at once, each guarded, as checks run in threads that have no site
	"""

	def __init__(self, findings: Mapping[str, Callable[[], list[str]]]) -> None:
		self._found = {id: _found_by(find) for id, find in findings.items()}

	def __getitem__(self, id: str) -> list[str]:
		found = self._found[id]
		if isinstance(found, Exception):
			raise found
		return found


def _found_by(find: Callable[[], list[str]]) -> list[str] | Exception:
	try:
		return find()
	except Exception as error:
		return error


def _check(id: str, expected: str, fix: str, *follows: str) -> Check:
	def look(told: Told) -> Iterator[Trouble]:
		for sentence in told[id]:
			yield Trouble("warn", sentence)

	return Check(id, expected, TAGS, look, fix, (*FOLLOW_ALL, *follows))


CHECKS = (
	_check(
		"scheduler-ticks",
		"a scheduler ticks on each server that has jobs",
		"Start it: bench schedule, or the schedule program in supervisor",
	),
	_check(
		"job-servers-seen",
		"each server that rules name was seen lately",
		"Start its scheduler and workers, or change the rules in Scheduler Config",
	),
	_check(
		"bench-id",
		"no worker of another bench reads this one's queues",
		"Give each bench a bench_id of its own in common_site_config.json, the same on all of its servers; then bench restart",
	),
	_check(
		"queues-are-read",
		"a worker reads each server's own queue",
		"On that server: bench worker --queue NAME",
		"same-redis-queue",
		"same-bench-id",
	),
	_check(
		"runs-given-up",
		"no run of a scheduled job was given up",
		"Mend what kills its worker, such as memory; then run the job again from Scheduled Run",
	),
	_check("runs-that-failed", "no run waits to be tried again", "See its last error in Scheduled Run"),
	_check(
		"named-locks",
		"the primary takes named locks for the whole cluster",
		"Let the proxy in front of the primary pass GET_LOCK on, or name one node as the primary",
	),
	_check(
		"lost-servers-are-noticed",
		"the primary notices within minutes that a server of jobs has lost its power",
		"In the primary's my.cnf: tcp_keepalive_time=60, tcp_keepalive_interval=10, tcp_keepalive_probes=6",
	),
	_check(
		"dormant-site",
		"jobs of all servers run also while nobody uses the site",
		"Raise dormant_days in System Settings",
	),
	_check(
		"network-mounts",
		"the bench's folder stands on a disk of its own server, or its scheduler can tell",
		"Give each server its own bench folder, or one scheduler for all",
	),
	_check(
		"job-class",
		"no other app takes this one's class of Scheduled Job Type away",
		"Let the other app's class inherit from this one's, or remove its override",
	),
	_check(
		"job-rules",
		"each rule is understood, and names a job that exists",
		"Correct it where the sentence says it stands",
	),
	_check(
		"last-tick",
		"no step of the last tick has failed",
		"See the error in the log of the scheduler; the other jobs were scheduled",
	),
	_check("overdue-jobs", "no scheduled job is overdue", "Look at its server and at its queue first"),
	_check(
		"one-cache-redis",
		"all servers of the site have one cache Redis",
		"Give all servers the same redis_cache in common_site_config.json",
		"same-redis-cache",
	),
	_check(
		"core-keys",
		"keys that core and other apps read say what this app does",
		"Write the keys that the sentence names into site_config.json",
	),
	_check(
		"read-rules",
		"each rule on what is read where is understood",
		"Correct it where the sentence says it stands",
	),
)
