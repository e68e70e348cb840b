# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Opens a replica scope for a job whose rule has Reads = Replica; its writes go to the primary."""

from collections.abc import Mapping
from typing import Any

from read_replica.engine.scope import Scope
from read_replica.engine.settings import Need
from read_replica.site import router_of_site

# Keys in a job's meta data: whether its rule lets it read from a replica, and what it asks of that replica.
READS = "read_replica_reads"
CONSISTENCY = "read_replica_consistency"
MAX_LAG = "read_replica_max_lag"


def open_scope(method: str, need: Need) -> Scope | None:
	"""Open a scope for a job, to be closed by the caller; None if the job must read from the primary."""
	router = router_of_site()
	scope = router.open(need, method) if router else None
	if not isinstance(scope, Scope):
		return None
	# The rule is an explicit decision: the next run begins on a replica again, even if this one writes.
	scope.remembers_writes = False
	return scope


def meta_of(need: Need) -> dict[str, Any]:
	"""Returns what a rule asks of a replica, as meta data of a job."""
	values = {READS: "replica", CONSISTENCY: need.consistency, MAX_LAG: need.max_lag}
	return {key: value for key, value in values.items() if value is not None}


def need_in(meta: Mapping[str, Any]) -> Need | None:
	"""Returns what a job's meta data asks of a replica; None: the job reads from the primary."""
	if meta.get(READS) != "replica":
		return None
	return Need(consistency=meta.get(CONSISTENCY), max_lag=meta.get(MAX_LAG))
