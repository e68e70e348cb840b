# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the cache guard costs those who read from no replica: Frappe's cache with it, and as it was."""

from collections.abc import Callable

import frappe
from frappe.utils.redis_wrapper import RedisWrapper

from benchmarks.compare import interleaved
from benchmarks.results import Figure
from read_replica.core import patching

QUESTION = "Frappe's cache with the guard in place, outside any read-only call"
OF = "x the cache without it"

ROUNDS = 40
CALLS = 10
# One alone is too short for a clock.
TIMES = 100

KEY, HASH = "of_the_benchmark", "of_the_benchmark_h"


def measure() -> list[Figure]:
	"""On the current site, whose cache is guarded."""
	core = {name: method for owner, name, method in patching._replaced if owner is RedisWrapper}
	guarded = {name: getattr(RedisWrapper, name) for name in core}
	return [
		_figure("a value that the request has read before", _get_value, core, guarded),
		_figure("a value with a generator, read before", _get_with_generator, core, guarded),
		_figure("a value that is stored in Redis", _set_value, core, guarded),
		_figure("a field that is stored in Redis", _hset, core, guarded),
	]


def _figure(name: str, work: Callable, core: dict, guarded: dict) -> Figure:
	frappe.cache().set_value(KEY, "value")
	found = interleaved({"core": work(core), "guarded": work(guarded)}, ROUNDS, CALLS)
	measured = {f"{way}, us each": found.seconds(way) * 1e6 / TIMES for way in ("core", "guarded")}
	return Figure(QUESTION, name, found.ratio("guarded", "core"), OF, None, measured)


def _get_value(methods: dict) -> Callable[[], None]:
	cache = frappe.cache()
	return lambda: [methods["get_value"](cache, KEY) for _ in range(TIMES)]


def _get_with_generator(methods: dict) -> Callable[[], None]:
	cache = frappe.cache()
	return lambda: [methods["get_value"](cache, KEY, lambda: "value") for _ in range(TIMES)]


def _set_value(methods: dict) -> Callable[[], None]:
	cache = frappe.cache()
	return lambda: [methods["set_value"](cache, KEY, "value") for _ in range(TIMES)]


def _hset(methods: dict) -> Callable[[], None]:
	cache = frappe.cache()
	return lambda: [methods["hset"](cache, HASH, "field", "value") for _ in range(TIMES)]
