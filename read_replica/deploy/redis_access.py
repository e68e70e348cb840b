# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Opens the Redis servers that bench has set up to the servers of a local network, with a password."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from read_replica.deploy import lan_address
from read_replica.deploy.text_file import TextChange, text_of

# Channels of publish and subscribe have rights of their own since then; older ones refuse to start with such a line.
CHANNELS_SINCE = (6, 2)
ACL_SINCE = (6, 0)


def new_password() -> str:
	"""Returns a password that needs no quoting in a URL."""
	return secrets.token_hex(24)


def password_of(conf: Mapping[str, Any], keys: Sequence[str]) -> str | None:
	"""Returns the password that the site gives its Redis servers; None without one.

	:param keys: theirs in the configuration
	:raises ValueError: if they have different ones, or users
	"""
	found = {urlsplit(conf[key]).password for key in keys}
	named = {urlsplit(conf[key]).username or "default" for key in keys}
	if len(found) > 1 or named != {"default"}:
		raise ValueError(
			f"{' and '.join(keys)} in common_site_config.json have different passwords, or users of their own."
			" Give them the same password, without a user: redis://:PASSWORD@HOST:PORT"
		)
	return found.pop()


def check_reach(key: str, given: str) -> None:
	"""Refuse the address of a Redis server that the second server cannot reach, or should not.

	:param key: its key in the configuration
	:param given: its URL
	:raises ValueError: if it leads to the machine that reads it, or to a public address without TLS
	"""
	parts = urlsplit(given)
	if lan_address.is_local(parts.hostname):
		raise ValueError(
			f"{key} leads to this machine alone. Give its address in the local network: --address"
		)
	is_address = ":" in (parts.hostname or "") or (parts.hostname or "").replace(".", "").isdigit()
	if is_address and parts.scheme != "rediss":
		lan_address.checked(parts.hostname or "")


def url(password: str, address: str, port: int) -> str:
	"""Returns the address of a Redis server, with its password, as Frappe takes it."""
	return f"redis://:{password}@{lan_address.in_url(address)}:{port}"


def acl_change(path: Path, password: str, version: tuple[int, ...]) -> TextChange:
	"""Returns the change of an aclfile by which its default user needs this password, and other users stay.

	With an aclfile, Redis ignores `requirepass`: without this line it answers everyone. The file has the
	password's hash, as it has after ACL SAVE.

	:param version: that of Redis
	:raises ValueError: if Redis knows no aclfile, or the default user has another password already
	"""
	if version < ACL_SINCE:
		raise ValueError(
			f"Redis {'.'.join(map(str, version))} has no aclfile. Install Redis 6.2 or later, and run"
			" bench setup redis."
		)
	before = text_of(path)
	lines = (before or "").splitlines()
	of_default = [line for line in lines if line.split()[:2] == ["user", "default"]]
	digest = hashlib.sha256(password.encode()).hexdigest()
	own = {f"#{digest}", f">{password}"}
	given = {word for line in of_default for word in line.split() if word[0] in "#>"}
	if given - own:
		raise ValueError(
			f"The default user has another password in {path} than in common_site_config.json. Put that one into"
			" redis_cache and redis_queue there (redis://:PASSWORD@HOST:PORT), or remove the line."
		)
	channels = "&* " if version >= CHANNELS_SINCE else ""
	line = f"user default on #{digest} ~* {channels}+@all"
	kept = [line for line in lines if line not in of_default]
	after = "\n".join([line, *kept]) + "\n"
	# Redis itself writes such a line with more words in it.
	return TextChange(path, before, before if given and before else after, mode=0o600)
