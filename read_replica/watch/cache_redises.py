# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Problems with the cache Redises of a site: servers that have different ones, or none."""

from collections import defaultdict
from collections.abc import Sequence

import frappe

from read_replica.database.bookkeeping import is_before_migrate
from read_replica.engine.sentence import Sentence
from read_replica.engine.shared.common_store import NO_REDIS

# Longer than a restart, a change of configuration, or a time without requests at night.
MINUTES_SHOWN = 15

MOST_NAMED = 3

# A Redis that is restarted is back by then, and is not reported.
SECONDS_OF_A_RESTART = 60


def problems() -> list[str]:
	"""Returns a sentence if several cache Redises were in use lately, and one if servers cannot use theirs."""
	try:
		rows = frappe.db.sql(
			"select redis_id, host, address, timestampdiff(microsecond, seen_at, utc_timestamp(6)) / 1000000,"
			" timestampdiff(microsecond, in_use_since, seen_at) / 1000000 from `tabCache Redis`"
			" where seen_at > utc_timestamp(6) - interval %s minute order by seen_at desc",
			MINUTES_SHOWN,
		)
	except Exception as error:
		if not is_before_migrate(error):
			raise
		return []
	by_id: dict[str, list[str]] = defaultdict(list)
	unreachable = []
	replaced = _replaced(rows)
	for redis_id, host, address, seconds, lasted in rows:
		if redis_id in replaced:
			continue
		seen = Sentence("{0} on {1}, seen {2} s ago", address, host, f"{max(0, seconds):.0f}")
		if redis_id != NO_REDIS:
			by_id[redis_id].append(seen)
		elif lasted >= SECONDS_OF_A_RESTART:
			unreachable.append(seen)
	return [*_several_redises(by_id), *_unreachable_redises(unreachable)]


def _replaced(rows: Sequence[tuple]) -> set[str]:
	"""Returns the Redises that all hosts have left for another one: they were restarted, or got another address."""
	began, ended = {}, {}
	for redis_id, _host, _address, seconds, lasted in rows:
		if redis_id != NO_REDIS:
			began[redis_id] = max(began.get(redis_id, 0), seconds + lasted)
			ended[redis_id] = min(ended.get(redis_id, seconds), seconds)
	return {
		one
		for one in ended
		for other in ended
		if ended[other] < ended[one] and began[other] <= ended[one] + SECONDS_OF_A_RESTART
	}


def _several_redises(by_id: dict[str, list[str]]) -> list[str]:
	if len(by_id) < 2:
		return []
	named = (
		Sentence.joined("", [redis_id[:8], " (", _shortened(users), ")"]) for redis_id, users in by_id.items()
	)
	return [
		Sentence(
			"This site's servers have used {0} cache Redises in the last {1} minutes: {2}. Positions of users are kept"
			" on the primary as well meanwhile, at the cost of one small transaction for each request that writes. What"
			" Frappe itself keeps there (documents, permissions, sessions) is cleared on one of them only. Give all"
			" servers the same redis_cache in common_site_config.json.",
			len(by_id),
			MINUTES_SHOWN,
			Sentence.joined("; ", named),
		)
	]


def _unreachable_redises(users: list[str]) -> list[str]:
	if not users:
		return []
	return [
		Sentence(
			"A cache Redis cannot be reached, or refuses to keep anything: {0}. What users have written there is kept on"
			" the primary, and all servers ask that for it meanwhile. Let redis_cache in common_site_config.json lead"
			" there to a Redis that runs, has memory and disk left, and is no replica.",
			_shortened(users),
		)
	]


def _shortened(users: list[str]) -> str:
	more, named = len(users) - MOST_NAMED, Sentence.joined("; ", users[:MOST_NAMED])
	return Sentence("{0} and {1} more", named, more) if more > 0 else named
