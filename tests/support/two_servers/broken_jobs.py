# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is broken in turn with what runs the jobs of two servers."""

from collections.abc import Callable, Sequence

from support.two_servers.broken import Breakage, by_person
from support.two_servers.broken_redis import ask
from support.two_servers.pair import Pair
from support.waiting import until

RULE = (
	"INSERT INTO `{database}`.`tabScheduler Config` (name, creation, modified, job, server_id, enabled, takeover_after)"
	" VALUES ('of-the-test', NOW(6), NOW(6), '{job}', '{server_id}', 1, 900)"
)
NO_RULE = "DELETE FROM `{database}`.`tabScheduler Config` WHERE name = 'of-the-test'"
RUN = (
	"INSERT INTO `{database}`.`tabScheduled Run` (name, creation, modified, job, server_id, claimed_at, attempts)"
	" VALUES ('of-the-test', NOW(6), NOW(6), 'pair_app.jobs.of_the_first', 'primary', UTC_TIMESTAMP(6), {attempts})"
)
NO_RUN = "DELETE FROM `{database}`.`tabScheduled Run` WHERE name = 'of-the-test'"


def _run(statement: str, **values: object) -> Callable[[Pair], None]:
	def run(pair: Pair) -> None:
		pair.primary.query(statement.format(database=pair.database, **values))

	return run


def _of_first(word: str, program: str) -> Callable[[Pair], None]:
	return lambda pair: _supervise(pair, "first", word, program)


def _of_second(word: str, program: str) -> Callable[[Pair], None]:
	return lambda pair: _supervise(pair, "second", word, program)


def _supervise(pair: Pair, where: str, word: str, program: str) -> None:
	machine = pair.first if where == "first" else pair.second
	machine.do(f"supervisorctl {word} {pair.name}-workers:{pair.name}-frappe-{program}")


def _for_an_hour(pair: Pair) -> None:
	pair.primary.query(
		f"UPDATE `{pair.database}`.`tabJob Server` SET scheduler_alive_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR"
	)


def _until_it_ticks(pair: Pair) -> None:
	until(
		lambda: (
			pair.primary.query(
				f"SELECT COUNT(*) FROM `{pair.database}`.`tabJob Server`"
				" WHERE scheduler_alive_at > UTC_TIMESTAMP() - INTERVAL 1 MINUTE"
			)
			!= ((0,),)
		),
		60,
	)


def _keepalive(seconds: int) -> Callable[[Pair], None]:
	return lambda pair: pair.primary.set(tcp_keepalive_time=seconds)


def _forget_killed_workers(pair: Pair) -> None:
	"""As some minutes later: a worker that was killed, as in the test before, is known for so long. Others note themselves."""
	ask(pair, "queue", "DEL rq:workers")
	pair.primary.query(
		f"UPDATE `{pair.database}`.`tabJob Worker` SET has_ended = 1 WHERE queues = 'secondary'"
	)


def _until_it_reads(pair: Pair) -> None:
	read = (
		f"SELECT COUNT(*) FROM `{pair.database}`.`tabJob Worker` WHERE queues = 'secondary' AND NOT has_ended"
	)
	until(lambda: pair.primary.query(read) != ((0,),), 60)


def _then(*does: Callable[[Pair], None]) -> Callable[[Pair], None]:
	def do_all(pair: Pair) -> None:
		for do in does:
			do(pair)

	return do_all


BREAKAGES: Sequence[Breakage] = (
	Breakage(
		"scheduler-ticks",
		"the scheduler is stopped",
		_then(_of_first("stop", "schedule"), _for_an_hour),
		by_person(_of_first("start", "schedule"), _until_it_ticks, says="the schedule program in supervisor"),
	),
	Breakage(
		"queues-are-read",
		"the second server's worker is stopped",
		_then(
			_run(RULE, job="pair_app.jobs.of_the_first", server_id="secondary"),
			_of_second("stop", "secondary-worker-0"),
			_forget_killed_workers,
		),
		by_person(
			_of_second("start", "secondary-worker-0"),
			_until_it_reads,
			_run(NO_RULE),
			says="bench worker --queue",
		),
	),
	Breakage(
		"job-servers-seen",
		"a rule names a server that nobody is",
		_run(RULE, job="pair_app.jobs.of_the_first", server_id="tertiary"),
		by_person(_run(NO_RULE), says="change the rules in Scheduler Config"),
	),
	Breakage(
		"job-rules",
		"a rule names a job that is not there",
		_run(RULE, job="pair_app.jobs.of_nobody", server_id="secondary"),
		by_person(_run(NO_RULE), says="Correct it where the sentence says"),
	),
	Breakage(
		"runs-given-up",
		"a run has killed its workers",
		_run(RUN, attempts=3),
		by_person(_run(NO_RUN), says="Scheduled Run"),
	),
	Breakage(
		"lost-servers-are-noticed",
		"keepalive is off on the primary",
		_then(_run(RULE, job="pair_app.jobs.of_the_first", server_id="secondary"), _keepalive(0)),
		by_person(_keepalive(60), _run(NO_RULE), says="tcp_keepalive_time=60"),
	),
)
