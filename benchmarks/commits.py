# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""How many statements a committing request sends to the primary more than without routing: counted."""

from collections.abc import Callable

from benchmarks.results import Figure
from benchmarks.shop import LIST, LIST_VALUES, SESSION, database_on, routed
from benchmarks.statements import recorded
from read_replica.engine import dialect
from support.plain import PlainDatabase
from support.servers import Cluster

QUESTION = "A request that commits"
OF = "statements more on the primary"
REQUESTS = 100


def measure(servers: Cluster) -> list[Figure]:
	with database_on(servers.primary) as database:
		without = _count(servers, lambda: _write(database))
	with routed(servers) as (host, router):
		host.log_in("writer")

		def writes() -> None:
			_write(host.current())
			host.end_request(router)

		def writes_and_reads() -> None:
			_write(host.current())
			with router.read_only(SESSION, "list"):
				host.current().sql(LIST, LIST_VALUES)
			host.end_request(router)

		found = {
			"that writes": _count(servers, writes),
			"that writes, and then reads through a replica": _count(servers, writes_and_reads),
		}
	return [
		Figure(QUESTION, name, count - without, OF, 1, {"with": count, "without": without})
		for name, count in found.items()
	]


def _write(database: PlainDatabase) -> None:
	database.sql("INSERT INTO sales_order (customer, total) VALUES (1, 1)")
	database.sql("UPDATE bin SET qty = qty + 1 WHERE item = 1 AND warehouse = 1")
	database.commit()


def _count(servers: Cluster, request: Callable[[], None]) -> float:
	"""The primary's statements per request, without those of the one process that looks at the servers."""
	request()
	with recorded(servers.primary) as statements:
		for _ in range(REQUESTS):
			request()
	by_connection: dict[int, list[str]] = {}
	for connection, statement in statements:
		by_connection.setdefault(connection, []).append(statement)
	return (
		sum(len(said) for said in by_connection.values() if set(said) != {dialect.PRIMARY_POSITION_QUERY})
		/ REQUESTS
	)
