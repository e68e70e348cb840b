# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The statements that run on replicas for this site, and how one of them is ended."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from read_replica.engine import dialect
from read_replica.engine.dialect import RunningStatement
from read_replica.engine.replicas.replica import Replica

SECONDS_UNTIL_SHOWN = 5.0
SECONDS_TO_ANSWER = 1.0
MOST_SHOWN = 50


def on_replicas(replicas: Sequence[Replica]) -> dict[str, list[RunningStatement] | None]:
	"""Returns what has been running for SECONDS_UNTIL_SHOWN on each replica, by its name; None: it did not tell.

	Each is asked over a connection of its own, as those of the pool may all be in use by just these statements.

	:param replicas: those that are known to answer
	"""
	if not replicas:
		return {}
	with ThreadPoolExecutor(len(replicas), thread_name_prefix="read_replica running") as threads:
		return dict(zip((one.name for one in replicas), threads.map(_running, replicas), strict=True))


def _running(replica: Replica) -> list[RunningStatement] | None:
	try:
		connection = replica.connect()
	except Exception:
		# The health check says why.
		return None
	try:
		found = dialect.own_processes(connection, SECONDS_TO_ANSWER).running
		return [one for one in found if one.seconds >= SECONDS_UNTIL_SHOWN][:MOST_SHOWN]
	except Exception:
		return None
	finally:
		connection.close()


def end(replica: Replica, query: int) -> bool:
	"""End a statement that runs on a replica for this site; False if it has ended already.

	Only statements of the replica's own user in the site's database can be ended.

	:raises Exception: what the driver raises if the replica does not answer
	"""
	connection = replica.connect()
	try:
		if not _is_running(connection, query):
			return False
		try:
			dialect.end_statement(connection, query, SECONDS_TO_ANSWER)
		except Exception:
			# It may have ended by itself since.
			if _is_running(connection, query):
				raise
			return False
		return True
	finally:
		connection.close()


def _is_running(connection: Any, query: int) -> bool:
	return any(one.id == query for one in dialect.own_processes(connection, SECONDS_TO_ANSWER).running)
