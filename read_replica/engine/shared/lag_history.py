# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The lag of each replica over the last hour, in Redis, for those who look at a site's replicas."""

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from read_replica.engine.shared.redis_state import RedisState, without_redis

SECONDS_BETWEEN_LAGS = 15
SECONDS_LAGS_ARE_KEPT = 3600

# A process that begins to check the replicas adds a row at once, so an hour may have some more rows than this.
MOST_ROWS = SECONDS_LAGS_ARE_KEPT // SECONDS_BETWEEN_LAGS


class Lags(NamedTuple):
	"""How far each replica was behind at a time.

	:param at: time.time() of the host that has asked the replicas
	:param seconds: the lag of each replica by its name; None: it was down, or its lag was not known
	"""

	at: float
	seconds: dict[str, float | None]


class LagHistory(RedisState):
	"""Keeps in Redis how far replicas were behind."""

	def _add_lags(self, pipeline: Any, fleet: str, seconds: Mapping[str, float | None]) -> None:
		"""Add commands to a pipeline that keep a row; what is older than an hour, or too many, is dropped."""
		key = self._key(f"lags|{fleet}")
		pipeline.rpush(key, json.dumps([round(time.time(), 1), seconds]))
		pipeline.ltrim(key, -MOST_ROWS, -1)
		pipeline.expire(key, SECONDS_LAGS_ARE_KEPT)

	@without_redis(list)
	def load_lags(self, fleet: str) -> list[Lags]:
		"""Return the rows of the last hour, the oldest first.

		:param fleet: an id of the set of replicas
		"""
		with self._redis() as client:
			rows = client.lrange(self._key(f"lags|{fleet}"), 0, -1)
		kept = (Lags(*json.loads(row)) for row in rows)
		oldest = time.time() - SECONDS_LAGS_ARE_KEPT
		return [row for row in kept if row.at >= oldest]
