# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A job whose rule says so reads from a replica for its whole run; writes go to the primary as in any scope."""

from collections.abc import Mapping
from typing import Any

from read_replica.engine.scope import Scope
from read_replica.engine.settings import Need
from read_replica.site import router_of_site

# In the meta data of a job that was put into a queue: its rule says that it reads from a replica; and which one.
READS = "read_replica_reads"
CONSISTENCY = "read_replica_consistency"
MAX_LAG = "read_replica_max_lag"


def open_scope(method: str, need: Need) -> Scope | None:
	"""Open a scope for a job, which whoever opens it closes; None if the primary has to answer."""
	router = router_of_site()
	scope = router.open(need, method) if router else None
	if not isinstance(scope, Scope):
		return None
	# The rule is somebody's decision: the next run begins on a replica again, though this one may write.
	scope.remembers_writes = False
	return scope


def meta_of(need: Need) -> dict[str, Any]:
	"""How a job carries what its rule asks of a replica."""
	values = {READS: "replica", CONSISTENCY: need.consistency, MAX_LAG: need.max_lag}
	return {key: value for key, value in values.items() if value is not None}


def need_in(meta: Mapping[str, Any]) -> Need | None:
	"""What the rule of a job asks of a replica; None: it reads from the primary."""
	if meta.get(READS) != "replica":
		return None
	return Need(consistency=meta.get(CONSISTENCY), max_lag=meta.get(MAX_LAG))
