# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What Read Replica Settings say for the whole site: its switch, and what calls ask for that leave it open.

site_config.json counts first: what it has for a key is not changed in the desk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import frappe

from read_replica.config.keys import FULL_KEY
from read_replica.database.event_log import log_event
from read_replica.engine.sentence import Sentence
from read_replica.engine.settings import AS_CONFIGURED, Need

DOCTYPE = "Read Replica Settings"

# Options of the fields, and the words of site_config.json.
WORDS = {
	"consistency": {"Eventual": "eventual", "Session": "session", "Strong": "strong"},
	"on_unavailable": {"Use the Primary": "primary", "Raise an Error": "error"},
	"on_write": {"Use the Primary": "primary", "Raise an Error": "error"},
}
DEFAULT_FIELDS = ("consistency", "max_lag", "on_unavailable", "on_write")


@dataclass(frozen=True)
class SitePolicy:
	"""The policy of a site.

	:param paused: whether all reading stays on the primary
	:param defaults: what the desk says, of all that site_config.json leaves open
	"""

	paused: bool = False
	defaults: Need = AS_CONFIGURED


def values() -> dict[str, str]:
	"""Returns the values of Read Replica Settings as they are stored; a field that is new has none yet."""
	return dict(frappe.db.sql("SELECT field, value FROM tabSingles WHERE doctype = %s", DOCTYPE))


def load() -> SitePolicy:
	"""Returns the policy as the desk has it now; to be called with the primary in place. What is wrong is logged."""
	stored = values()
	try:
		defaults = need_of_settings(stored)
	except (TypeError, ValueError) as error:
		# Not written in the desk, which checks this.
		log_event("configuration", problem=f"Read Replica Settings: {error}")
		defaults = AS_CONFIGURED
	return SitePolicy(stored.get("paused") == "1", _without(defaults, configured_keys(frappe.local.conf)))


def need_of_settings(stored: Mapping[str, Any]) -> Need:
	"""Returns what the settings ask of a replica; an empty Max Lag is stored as 0.

	:raises TypeError, ValueError: naming the field that is wrong
	"""
	given = {}
	for field, words in WORDS.items():
		if chosen := stored.get(field):
			if chosen not in words:
				none_of = Sentence("{0} is {1}, which is none of {2}", field, repr(chosen), ", ".join(words))
				raise ValueError(none_of)
			given[field] = words[chosen]
	if max_lag := float(stored.get("max_lag") or 0):
		given["max_lag"] = max_lag
	return Need(**given) if given else AS_CONFIGURED


def configured_keys(conf: Mapping[str, Any]) -> set[str]:
	"""Returns the keys of site_config.json that count before what the desk says."""
	full = conf.get(FULL_KEY)
	if not isinstance(full, Mapping):
		return set()
	return {key for key in DEFAULT_FIELDS if full.get(key) is not None}


def _without(need: Need, keys: set[str]) -> Need:
	left = {key: value for key, value in vars(need).items() if value is not None and key not in keys}
	return Need(**left) if left else AS_CONFIGURED
