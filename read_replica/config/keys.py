# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The keys of site_config.json that the settings are made from."""

from collections.abc import Mapping
from typing import Any

FULL_KEY = "read_replica"

# What `core.replica_switch.switch_core_on` writes into a request's configuration, and never into a file.
SWITCHED_ON = "by read_replica"

# The keys that are about replicas: this app's own, core's, and the original ones.
REPLICA_KEYS = (
	FULL_KEY,
	"read_from_replica",
	"replica_host",
	"replica_db_port",
	"different_credentials_for_replica",
	"replica_db_name",
	"replica_db_user",
	"replica_db_password",
	"use_slave_for_read_only",
	"slave_host",
	"slave_db_name",
	"slave_db_password",
)

# What the settings are made from; a change of any of them makes new ones.
SOURCE_KEYS = (
	"db_name",
	"db_user",
	"db_password",
	"db_host",
	"db_port",
	"db_socket",
	"db_ssl_ca",
	"db_ssl_cert",
	"db_ssl_key",
	"redis_cache",
	*REPLICA_KEYS,
)


def configured(conf: Mapping, key: str) -> Any:
	"""Returns the value of a key as it was configured, without what `switch_core_on` sets for a request."""
	value = conf.get(key)
	return None if value == SWITCHED_ON else value


def names_and_passwords(conf: Mapping) -> set[str]:
	"""Returns the names of the database users that a configuration names, and their passwords, right or wrong."""
	found = [conf.get(key) for key in SOURCE_KEYS if key.endswith(("db_name", "db_user", "db_password"))]
	found += _under_keys_of_secrets(conf.get(FULL_KEY))
	return {value for value in found if isinstance(value, str) and value}


def _under_keys_of_secrets(value: Any) -> list[Any]:
	"""Returns what stands under such keys at any depth, as a configuration that is wrong may have any form."""
	if isinstance(value, list):
		return [one for inner in value for one in _under_keys_of_secrets(inner)]
	if not isinstance(value, Mapping):
		return []
	found = [inner for key, inner in value.items() if str(key).endswith(("user", "password", "token"))]
	return found + [one for inner in value.values() for one in _under_keys_of_secrets(inner)]
