# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What rules for methods cost a request: one that none is for, and one that a rule sends to a replica."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import frappe
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from benchmarks.compare import Comparison, check_that_all_were_routed, interleaved, timed
from benchmarks.results import Figure
from read_replica import lifecycle, read_only, site
from read_replica.engine.router import Router
from read_replica.policy import rules, sources
from read_replica.policy.rules import Rules
from support.bench import SITE

QUESTION = "Rules for methods that nobody decorated"
MORE, OF = "us more than without", "x a decorated one"

ROUNDS = 60
CALLS = 20
# One alone is too short for a clock.
TIMES = 50

RULES = 1000
MOST_MICROSECONDS = 10
# As much, and what two runs of the same differ by.
TARGET = 1.05

LIST = "select name, fieldname, fieldtype, options from `tabDocField` where parent = 'User' limit 20"
ROUTED, DECORATED, NO_RULE = "my_app.api.routed", "my_app.api.decorated", "my_app.api.another"

FEW, MANY = "with the shipped list", f"with {RULES:,} rules"


def measure() -> list[Figure]:
	"""On the current site."""
	router = site.router_of_site()
	# As on a site that has been running for a while.
	router.host.shared.mark_incomplete(seconds_ago=3600)
	router.share_soon()
	router.health.check_now()
	with _rows(1) as few, _rows(RULES) as many:
		of = {FEW: few, MANY: many}
		return [*_no_rule(router, of), *_first(of), *_routed(router, of)]


@contextmanager
def _rows(count: int) -> Iterator[Rules]:
	"""The rules of the site with so many rows of the desk, of which the last one is for ROUTED."""
	names = [_name(number) for number in range(count - 1)] + [ROUTED]
	frappe.db.bulk_insert(
		"Routed Method",
		["name", "creation", "modified", "method", "reads"],
		[
			(f"rule{number}", frappe.utils.now(), frappe.utils.now(), name, "Replica")
			for number, name in enumerate(names)
		],
	)
	found = Rules(site.router_of_site().health.revision, sources.load(), time.monotonic())
	frappe.db.delete("Routed Method")
	frappe.db.commit()
	yield found


def _name(number: int) -> str:
	"""Half of them are patterns: of a module, of an app, and of a word in any; and some are for one subject."""
	name = f"app_{number % 40}.module_{number}"
	pattern = (f"{name}.*", f"app_{number % 40}.*.get_{number}", f"*.get_nightly_{number}")[number % 3]
	return pattern if number % 2 else f"{name}.get_list"


def _asks_for(method: str) -> None:
	"""The current request calls a method, as far as rules look at it."""
	frappe.local.request = Request(EnvironBuilder(path=f"/api/method/{method}").get_environ())
	frappe.local.form_dict = frappe._dict()


def _no_hook() -> None:
	"""What Frappe would call in its place."""


def _no_rule(router: Router, of: dict[str, Rules]) -> list[Figure]:
	_asks_for(NO_RULE)
	state = router.host.state()

	def ask(known: Rules) -> Callable[[], None]:
		def many_times() -> None:
			router.share_soon()
			rules._of_process[SITE] = router, known
			for _ in range(TIMES):
				lifecycle.route_request()

		return many_times

	def nothing() -> None:
		router.share_soon()
		for _ in range(TIMES):
			_no_hook()

	found = interleaved(
		{"without": nothing} | {name: ask(known) for name, known in of.items()}, ROUNDS, CALLS
	)
	assert not state.frames
	return [
		Figure(
			QUESTION,
			f"a request that no rule is for, {name}",
			_more(found, name) * 1e6 / TIMES,
			MORE,
			MOST_MICROSECONDS,
			{
				"the hook, us": found.seconds(name) * 1e6 / TIMES,
				"without, us": found.seconds("without") * 1e6 / TIMES,
			},
		)
		for name in of
	]


def _more(found: Comparison, way: str) -> float:
	"""The seconds that a way took more than `without` in the same round: the quicker quarter of the rounds took less.

	Not the median, as this is no ratio: what else runs on the machine adds to it, and takes nothing away.
	"""
	rounds = zip(found.medians[way], found.medians["without"], strict=True)
	return statistics.quantiles((one - other for one, other in rounds), n=4)[0]


def _first(of: dict[str, Rules]) -> list[Figure]:
	"""What a process pays once for each method, and after each change of a rule."""
	figures = []
	for name, known in of.items():
		took = []
		for number in range(200):
			called = rules.Called(f"my_app.api.method_{number}", "Item")
			took.append(timed(lambda called=called, known=known: known.rule_for(called)))
		seconds = statistics.median(took)
		figures.append(Figure(QUESTION, f"the first request of its method, {name}", seconds * 1e6, MORE))
	return figures


@read_only
def _decorated() -> None:
	frappe.db.sql(LIST, as_dict=True)


def _routed(router: Router, of: dict[str, Rules]) -> list[Figure]:
	def by_a_rule(known: Rules) -> Callable[[], None]:
		def request() -> None:
			_begin(ROUTED, known)
			lifecycle.route_request()
			frappe.db.sql(LIST, as_dict=True)
			_end_request()

		return request

	def decorated(known: Rules) -> Callable[[], None]:
		def request() -> None:
			_begin(DECORATED, known)
			lifecycle.route_request()
			_decorated()
			_end_request()

		return request

	def _begin(method: str, known: Rules) -> None:
		frappe.local.request, frappe.local.form_dict = requests[method], frappe._dict()
		rules._of_process[SITE] = router, known

	requests = {}
	for method in (ROUTED, DECORATED):
		_asks_for(method)
		requests[method] = frappe.local.request
	ways = {}
	for name, known in of.items():
		ways |= {f"routed {name}": by_a_rule(known), f"decorated {name}": decorated(known)}
	found = interleaved(ways, ROUNDS, CALLS)
	check_that_all_were_routed(router)
	return [
		Figure(
			QUESTION,
			f"a request that a rule sends to a replica, {name}",
			found.ratio(f"routed {name}", f"decorated {name}"),
			OF,
			TARGET,
			{f"{way}, us": found.seconds(f"{way} {name}") * 1e6 for way in ("routed", "decorated")},
		)
		for name in of
	]


def _end_request() -> None:
	site.finish()
	# The next request begins anew, as after frappe.destroy().
	del frappe.local.read_replica_state
