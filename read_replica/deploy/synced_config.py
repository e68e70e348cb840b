# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Decides what site_config.json says on a server that takes it over from the primary's server of the site.

The other server's values count, but for those that are a server's own: its state, such as maintenance_mode, and the
addresses that it has been given by hand. An address is known to be one of these if it is another than came over last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from read_replica.config.keys import REPLICA_KEYS
from read_replica.deploy.server_notes import digest

# What a server is doing; it never comes over, and what stands here stays.
STATE = frozenset(
	{"maintenance_mode", "pause_scheduler", "disable_scheduler", "developer_mode", "installed_apps"}
)

# Keys that only make sense together, by what they are about. If this server has its own, it keeps all of them.
GROUPS: Mapping[str, frozenset[str]] = {
	"database": frozenset({"db_host", "db_port", "db_socket", "db_ssl_ca", "db_ssl_cert", "db_ssl_key"}),
	"replicas": frozenset(REPLICA_KEYS),
	"redis": frozenset({"redis_cache", "redis_queue", "redis_socketio"}),
	"url": frozenset({"host_name"}),
}
# Stored passwords cannot be read without it.
NEVER_LOST = frozenset({"encryption_key"})
GROUPED = frozenset().union(*GROUPS.values())


@dataclass(frozen=True)
class TakenOver:
	"""What came over the last time.

	:param keys: names of keys
	:param groups: a digest of the values of each group, by its name
	"""

	keys: frozenset[str] = frozenset()
	groups: Mapping[str, str] = field(default_factory=dict)


class CannotTakeOver(ValueError):
	"""Raised when somebody has to decide first which of two values is right."""


def take_over(
	there: Mapping[str, Any], here: Mapping[str, Any], last: TakenOver, has_address: bool
) -> tuple[dict[str, Any], TakenOver]:
	"""Returns what site_config.json is to say here, and what of it came over.

	:param there: site_config.json of the other server
	:param here: that of this one
	:param has_address: whether this server has the primary's address also elsewhere, as in common_site_config.json
	:raises CannotTakeOver: if it is another site's, if both servers have an encryption key and these differ, or if
		nothing here would say where the primary is
	"""
	_check(there, here)
	digest_key = str(there["db_password"])
	there = {key: value for key, value in there.items() if key not in STATE}
	if _leads_to_itself(there):
		there = _without(there, GROUPS["database"])
	groups = {}
	for name, keys in GROUPS.items():
		mine, theirs = _only(here, keys), _only(there, keys)
		if mine and mine != theirs and digest(mine, digest_key) != last.groups.get(name):
			there = _without(there, keys)
		elif theirs:
			here = _without(here, keys)
			groups[name] = digest(theirs, digest_key)
		else:
			here = _without(here, keys)
	gone = last.keys - there.keys() - GROUPED - STATE - NEVER_LOST
	result = {key: there.get(key, value) for key, value in here.items() if key not in gone}
	result |= there
	if not (has_address or result.get("db_host") or result.get("db_socket")):
		raise CannotTakeOver(
			"Nothing here says where the primary is, and the other server's db_host leads each server to itself."
			" Write db_host into common_site_config.json of this bench: an address that leads to the primary from here."
		)
	return result, TakenOver(frozenset(there) - GROUPED, groups)


def _check(there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
	for key in ("db_name", "db_password"):
		if not there.get(key):
			raise CannotTakeOver(f"site_config.json of the other server has no {key}: is it that of a site?")
	if here.get("db_name") not in (None, there["db_name"]):
		raise CannotTakeOver(
			f"That is another site: its database is {there['db_name']}, and this site's is {here['db_name']}."
		)
	keys = [config.get("encryption_key") for config in (there, here)]
	if all(keys) and keys[0] != keys[1]:
		raise CannotTakeOver(
			"The servers have different encryption keys. Passwords that are stored can be read with one of them only:"
			" find out which, and write that one into site_config.json on both."
		)


def _leads_to_itself(config: Mapping[str, Any]) -> bool:
	"""Returns whether a configuration leads each server that has it to a database server of its own."""
	host = str(config.get("db_host") or "localhost")
	return bool(config.get("db_socket")) or host in ("localhost", "::1") or host.startswith("127.")


def _only(config: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
	return {key: value for key, value in config.items() if key in keys}


def _without(config: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
	return {key: value for key, value in config.items() if key not in keys}
