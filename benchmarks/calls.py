# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a routed call costs, against the same query on a connection to the same replica that is open."""

from benchmarks.compare import Comparison, check_that_all_were_routed, interleaved
from benchmarks.results import Figure
from benchmarks.shop import EVENTUAL, LIST, LIST_VALUES, ROW, SESSION, database_on, routed
from read_replica.engine.settings import Need
from support.servers import Cluster

QUESTION = "A routed call, and the end of its request"
OF = "x the plain query"

ROUNDS = 120
CALLS = 30

FRESH = "a fresh connection each time"

# Each as (name, target).
TARGETS = (
	("eventual", 1.25),
	("session, user has not written", 1.6),
	("session, user has written", 1.6),
)


def measure(servers: Cluster) -> list[Figure]:
	lists = _compare(servers, LIST, ROUNDS)
	rows = _compare(servers, ROW, ROUNDS // 2)
	return [
		*(_figure(lists, name, target, name) for name, target in TARGETS),
		*(_figure(rows, name, None, f"one row by its key: {name}") for name, _ in TARGETS),
		_figure(_compare_fresh(servers), FRESH, None, FRESH),
	]


def _figure(found: Comparison, way: str, target: float | None, name: str) -> Figure:
	measured = {"plain query, us": found.seconds("plain") * 1e6, "this, us": found.seconds(way) * 1e6}
	return Figure(QUESTION, name, found.ratio(way, "plain"), OF, target, measured)


def _compare(servers: Cluster, query: str, rounds: int) -> Comparison:
	replica = servers.replicas[0]
	with routed(servers) as (host, router), database_on(replica) as open_connection:
		host.log_in("writer")
		host.current().sql("UPDATE bin SET qty = qty WHERE item = 1")
		host.current().sql("INSERT INTO sales_order (customer, total) VALUES (1, 1)")
		host.current().commit()
		host.end_request(router)
		servers.catch_up()

		def plain() -> None:
			open_connection.sql(query, LIST_VALUES)
			open_connection.rollback()

		def call(need: Need, user: str) -> None:
			host.log_in(user)
			with router.read_only(need, "list"):
				host.current().sql(query, LIST_VALUES)
			host.end_request(router)

		ways = {
			"plain": plain,
			"eventual": lambda: call(EVENTUAL, "reader"),
			"session, user has not written": lambda: call(SESSION, "reader"),
			"session, user has written": lambda: call(SESSION, "writer"),
		}
		found = interleaved(ways, rounds, CALLS)
		check_that_all_were_routed(router)
		return found


def _compare_fresh(servers: Cluster) -> Comparison:
	"""Against a connection that is opened for each call, and closed."""
	with database_on(servers.replicas[0]) as open_connection:

		def plain() -> None:
			open_connection.sql(LIST, LIST_VALUES)
			open_connection.rollback()

		def fresh() -> None:
			with database_on(servers.replicas[0]) as connection:
				connection.sql(LIST, LIST_VALUES)

		return interleaved({"plain": plain, FRESH: fresh}, ROUNDS // 10, CALLS // 5)
