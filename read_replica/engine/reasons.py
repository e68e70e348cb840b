# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The reasons why a call was answered by a replica or by the primary."""

from enum import Enum


class Reason(str, Enum):
	"""Why a call was answered by the server it was answered by.

	Counted per server, and shown by `bench read-replica status`.
	"""

	REPLICA = "replica"
	IN_SCOPE = "in_scope"
	IN_PRIMARY_BLOCK = "in_primary_block"
	PENDING_WRITES = "pending_writes"
	WRITER = "writer"
	RULE = "rule"
	PAUSED = "paused"
	NO_REPLICA = "no_replica"
	LAGGING = "lagging"
	BEHIND = "behind"
	WROTE = "wrote"
	DENIED = "denied"
	LOST = "lost"
	MISSING = "missing"
	TROUBLE = "trouble"
