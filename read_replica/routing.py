# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The decorators read_only and primary, and `current`, the scope that code runs in."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ContextDecorator, contextmanager, nullcontext
from typing import Any, TypeVar

from read_replica import lifecycle
from read_replica.core.callers import name_of
from read_replica.core.whitelist import DECORATED
from read_replica.engine.replica_scope import ReplicaScope
from read_replica.engine.settings import Consistency, Need, OnUnavailable, OnWrite
from read_replica.site import need_of, router_of_site

F = TypeVar("F", bound=Callable)


def read_only(
	fn: F | None = None,
	/,
	*,
	max_lag: float | None = None,
	consistency: Consistency | None = None,
	pool: str | None = None,
	timeout: float | None = None,
	on_unavailable: OnUnavailable | None = None,
	on_write: OnWrite | None = None,
) -> F | Callable[[F], F]:
	"""Let `frappe.db` read from a replica while the decorated function runs.

	Works as `@read_only`, `@read_only()` and with arguments, on functions and methods; on whitelisted ones it
	stands below `@frappe.whitelist()`. Arguments that are left out are as the site is configured. On a site
	without this app, or with routing switched off, the function runs as if it were not decorated.

	:param max_lag: seconds that the replica may be behind the primary
	:param consistency: "eventual", "session" or "strong"
	:param pool: the group of replicas to prefer
	:param timeout: seconds after which the server ends a statement
	:param on_unavailable: if no replica may answer, "primary" falls back to the primary, and "error" raises
		ReplicaUnavailable (HTTP 503)
	:param on_write: "primary" runs a write on the primary, "error" raises WriteInReadOnlyScope
	:raises TypeError, ValueError: when the function is decorated, naming the argument at fault
	"""
	need = Need(max_lag, consistency, pool, timeout, on_unavailable, on_write)
	if fn is None:
		return lambda function: _decorate(function, need)
	return _decorate(fn, need)


def _decorate(fn: F, need: Need) -> F:
	if not callable(fn):
		raise TypeError(f"read_only decorates a function, not {fn!r}; its arguments go by name")
	if inspect.isgeneratorfunction(fn) or inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn):
		raise TypeError(
			f"read_only cannot decorate {fn.__qualname__}: it returns before its work is done."
			" Decorate the function that consumes it."
		)
	method = name_of(fn)

	@functools.wraps(fn)
	def wrapper(*args: Any, **kwargs: Any) -> Any:
		router = router_of_site()
		if router is None:
			return fn(*args, **kwargs)
		of_rules = need_of(router, method)
		if of_rules is None:
			with router.primary():
				return fn(*args, **kwargs)
		with router.read_only(need.over(of_rules), method):
			return fn(*args, **kwargs)

	setattr(wrapper, DECORATED, True)
	return wrapper


class primary(ContextDecorator, AbstractContextManager):
	"""Puts the primary back in `frappe.db`, as a block `with primary():` or as a decorator `@primary()`.

	Functions that are called inside read from the primary as well, also if they are decorated with read_only.
	"""

	def __init__(self) -> None:
		self._block: AbstractContextManager = nullcontext()

	def _recreate_cm(self) -> "primary":
		# Each call of a decorated function has a block of its own, so that it may call itself.
		return primary()

	def __enter__(self) -> None:
		if router := router_of_site():
			self._block = router.primary()
		self._block.__enter__()

	def __exit__(self, *exception: Any) -> bool | None:
		return self._block.__exit__(*exception)


def current() -> ReplicaScope | None:
	"""Returns the read-only scope that this code runs in, or None if it reads from the primary.

	Its `replica.name` is the replica that answers, its `as_of` (time, position) how fresh the data is at least.
	"""
	router = router_of_site()
	frames = router.host.state().frames if router else []
	return frames[-1] if frames and isinstance(frames[-1], ReplicaScope) else None
