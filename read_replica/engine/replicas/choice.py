# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The load balancer: the order in which the replicas are tried for a call."""

import random
from collections.abc import Sequence

from read_replica.engine.replicas.replica import Replica
from read_replica.engine.settings import DEFAULT_POOL


def in_order(replicas: Sequence[Replica], pool: str | None, rng: random.Random) -> list[Replica]:
	"""Return all replicas in the order in which to try them: those of the pool first, each group at random by weight.

	The weighted shuffle is that of Efraimidis and Spirakis (2006): each replica draws u ** (1 / weight), and the
	highest goes first.
	"""
	wanted = pool or DEFAULT_POOL

	def rank(replica: Replica) -> tuple[bool, float]:
		return replica.endpoint.pool == wanted, rng.random() ** (1 / replica.endpoint.weight)

	return sorted(replicas, key=rank, reverse=True)
