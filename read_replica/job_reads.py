# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A job whose rule says so reads from a replica for its whole run; writes go to the primary as in any scope."""

from read_replica.engine.scope import Scope
from read_replica.engine.settings import Need
from read_replica.site import router_of_site


def open_scope(method: str) -> Scope | None:
	"""Open a scope for a job, which whoever opens it closes; None if the primary has to answer."""
	router = router_of_site()
	scope = router.open(Need(), method) if router else None
	if not isinstance(scope, Scope):
		return None
	# The rule is somebody's decision: the next run begins on a replica again, though this one may write.
	scope.remembers_writes = False
	return scope
