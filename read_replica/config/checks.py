# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks of single values in the configuration.

Each returns the value as it is to be used, and raises a ConfigurationError that names the key if it is wrong.
"""

from collections.abc import Mapping
from typing import Any

from read_replica.engine.errors import ConfigurationError
from read_replica.engine.sentence import Sentence

TLS_KEYS = ("ca", "cert", "key", "check_hostname")


# What stands in an address that has more than a host in it, such as a password.
MORE_THAN_A_HOST = ("@", "/", "?")


def is_value(value: Any, secret: bool = False) -> Sentence:
	"""Returns what an error says of a value that is not one of those that are expected.

	Whoever writes a replica in a form of his own writes its password there: objects, lists and texts that may be one
	are named by their kind alone.

	:param secret: whether a text may hold a password
	"""
	if isinstance(value, Mapping):
		return Sentence("is an object")
	if isinstance(value, list | tuple):
		return Sentence("is a list")
	if secret and isinstance(value, str):
		return Sentence("is a text")
	return Sentence("is {0}", repr(value))


def check_keys(given: Mapping, known: tuple[str, ...], key: str) -> None:
	"""Check that an object in the configuration has no other keys than these."""
	for name in given:
		if name not in known:
			raise ConfigurationError(
				f"{key}.{name}",
				Sentence("is not a key of this app"),
				Sentence("use one of {0}", ", ".join(known)),
			)


def text(value: Any, key: str, secret: bool = False) -> str:
	"""Returns a text that is not empty. A secret keeps its spaces, and is not shown in the error."""
	if isinstance(value, str) and value.strip():
		return value if secret else value.strip()
	problem = is_value(value)
	if value is None:
		problem = Sentence("is missing")
	elif secret:
		problem = Sentence("is not a text")
	raise ConfigurationError(key, problem, Sentence("write a text between quotes"))


def host(value: Any, key: str) -> str:
	"""Returns a host's name or address. One with more in it, such as a URL with a password, is not shown in the error."""
	found = text(value, key)
	if any(sign in found for sign in MORE_THAN_A_HOST):
		fix = Sentence("write the host alone; its port, user and password have keys of their own")
		raise ConfigurationError(key, Sentence("is no host"), fix)
	return found


def names(value: Any, key: str, fix: str) -> tuple[str, ...]:
	"""Returns a list of names; empty if there is none.

	:param fix: what the error tells people to write
	"""
	if value is None:
		return ()
	if not isinstance(value, list):
		raise ConfigurationError(key, is_value(value), fix)
	for index, name in enumerate(value):
		if not isinstance(name, str) or not name.strip():
			raise ConfigurationError(f"{key}[{index}]", is_value(name), fix)
	return tuple(name.strip() for name in value)


def port(value: Any, key: str) -> int | None:
	"""Returns a port from 1 to 65535, also from a text; None if there is none."""
	if value in (None, ""):
		return None
	if not isinstance(value, bool) and str(value).isdigit() and 0 < int(value) < 65536:
		return int(value)
	problem, fix = Sentence("{0} is not a port", repr(value)), Sentence("write a number from 1 to 65535")
	raise ConfigurationError(key, problem, fix)


def weight(value: Any, key: str) -> float:
	"""Returns the weight of a replica: a finite number above 0."""
	if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
		return value
	fix = Sentence("write a number of more than 0; leave the replica out to rest it")
	raise ConfigurationError(key, is_value(value), fix)


def tls(value: Any, key: str) -> dict[str, Any] | bool | None:
	"""Returns the TLS options of a replica; False: without TLS; None: as for the primary."""
	if value is None or value is False:
		return value
	if not isinstance(value, Mapping):
		fix = Sentence("write an object such as {0}, or false", '{"ca": "/path/ca.pem"}')
		raise ConfigurationError(key, is_value(value, secret=True), fix)
	check_keys(value, TLS_KEYS, key)
	for name in ("ca", *(name for name in ("cert", "key") if name in value)):
		text(value.get(name), f"{key}.{name}")
	if not isinstance(value.get("check_hostname", True), bool):
		problem = is_value(value["check_hostname"])
		raise ConfigurationError(f"{key}.check_hostname", problem, Sentence("write true or false"))
	return dict(value)


def switch(value: Any, key: str) -> bool:
	"""Returns whether a key is switched on: 1 or 0, also as a text or a boolean."""
	if value in (0, 1, "0", "1"):
		return bool(int(value))
	raise ConfigurationError(key, is_value(value), Sentence("write 1 or 0"))
