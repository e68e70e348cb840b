# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""site_config.json in its three forms -> one frozen Settings object.

The full form is the key `read_replica`. Core's keys (`read_from_replica`, `replica_host`, ...) and
those of the first version of this feature (`use_slave_for_read_only`, `slave_host`, ...) name one
replica each. Every error names its key.
"""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import frappe

from read_replica.engine.dialect import DEFAULT_PORT
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.settings import DEFAULT_POOL, DEFAULTS, Endpoint, Need, Settings

# What `shims.switch_core_on` writes into a request's configuration, and never into a file.
SWITCHED_ON = "by read_replica"

FULL_KEY = "read_replica"
COMMON_CONFIG = "common_site_config.json"
POLICY_KEYS = ("consistency", "max_lag", "timeout", "on_unavailable", "on_write")
LIMIT_KEYS = ("connections_per_replica", "connection_max_age", "connect_timeout", "wait")
KNOWN_KEYS = ("enabled", "replicas", "pools", "metrics_token", *POLICY_KEYS, *LIMIT_KEYS)
SHORTEST_TOKEN = 16
POOL_KEYS = ("max_lag",)
REPLICA_KEYS = ("name", "host", "port", "user", "password", "weight", "pool", "tls")
TLS_KEYS = ("ca", "cert", "key", "check_hostname")

# What the settings are made from; a change of any of them makes new ones.
SOURCE_KEYS = (
	FULL_KEY,
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


def fingerprint(conf: Mapping) -> tuple:
	"""The values that the settings are made from, to see whether they have changed."""
	return tuple(_given(conf, key) for key in SOURCE_KEYS)


def _given(conf: Mapping, key: str) -> Any:
	"""A key as the administrator wrote it, without what `shims.switch_core_on` adds for a request."""
	value = conf.get(key)
	return None if value == SWITCHED_ON else value


def renew(conf: dict) -> None:
	"""Let a request know our keys as they stand in the files now.

	v16 keeps the configuration in each web process for a minute, and each request has a copy of that; a
	switchover cannot wait so long.
	"""
	if not hasattr(frappe, "config"):
		return
	site = frappe.local.site
	written_at = _time_of_files()
	read_at, values = _read.get(site, (None, conf))
	if written_at != read_at:
		# A file that is just being written is read by the next request.
		with contextlib.suppress(ValueError):
			now = frappe.get_site_config()
			values = {key: now[key] for key in SOURCE_KEYS if key in now}
			_read[site] = (written_at, values)
	for key in SOURCE_KEYS:
		if key in values:
			conf[key] = values[key]
		else:
			conf.pop(key, None)


# Our keys as this process has read them last, and when the files were written, by site.
_read: dict[str, tuple[tuple, dict[str, Any]]] = {}


def _time_of_files() -> tuple[float, ...]:
	paths = (frappe.get_site_path("site_config.json"), os.path.join(frappe.local.sites_path, COMMON_CONFIG))
	return tuple(os.stat(path).st_mtime_ns if os.path.exists(path) else 0 for path in paths)


def settings_from(conf: Mapping) -> Settings | None:
	"""The settings of a site, or None where routing is switched off.

	:raises ConfigurationError: naming the key, what is wrong with its value, and the fix
	"""
	full = conf.get(FULL_KEY)
	if full is None:
		full = {}
	if not isinstance(full, Mapping):
		raise ConfigurationError(FULL_KEY, f"is {full!r}", 'write an object such as {"replicas": [...]}')
	_check_known(full, KNOWN_KEYS, FULL_KEY)
	if "metrics_token" in full and metrics_token(conf) is None:
		raise ConfigurationError(
			f"{FULL_KEY}.metrics_token",
			"is no usable secret",
			f"write a text of {SHORTEST_TOKEN} characters or more",
		)
	if not _switch(full.get("enabled", True), f"{FULL_KEY}.enabled"):
		return None
	replicas = _replicas(conf, full)
	if not replicas:
		return None
	return Settings(
		replicas=replicas,
		defaults=_policy(full),
		max_lag_of_pool=_max_lag_of_pools(full.get("pools")),
		**_limits(full),
	)


def metrics_token(conf: Mapping) -> str | None:
	"""The secret that whoever reads the site's metrics must know; None: nobody may read them."""
	full = conf.get(FULL_KEY)
	token = full.get("metrics_token") if isinstance(full, Mapping) else None
	return token if isinstance(token, str) and len(token) >= SHORTEST_TOKEN else None


def _replicas(conf: Mapping, full: Mapping) -> tuple[Endpoint, ...]:
	if "replicas" in full:
		return _from_full_form(conf, full["replicas"])
	if conf.get("replica_host") or _given(conf, "read_from_replica"):
		return _from_core_keys(conf)
	return _from_original_keys(conf)


def _from_full_form(conf: Mapping, rows: Any) -> tuple[Endpoint, ...]:
	key = f"{FULL_KEY}.replicas"
	if not isinstance(rows, list):
		raise ConfigurationError(
			key, f"is {rows!r}", 'write a list such as [{"name": "replica01", "host": "10.0.0.2"}]'
		)
	endpoints = tuple(_endpoint(conf, row, f"{key}[{index}]") for index, row in enumerate(rows))
	names = [endpoint.name for endpoint in endpoints]
	for index, name in enumerate(names):
		if name in names[:index] or name == "primary":
			raise ConfigurationError(
				f"{key}[{index}].name", f"{name!r} is taken", "give each replica a name of its own"
			)
	return endpoints


def _endpoint(conf: Mapping, row: Any, key: str) -> Endpoint:
	if not isinstance(row, Mapping):
		raise ConfigurationError(
			key, f"is {row!r}", 'write an object such as {"name": "replica01", "host": "10.0.0.2"}'
		)
	_check_known(row, REPLICA_KEYS, key)
	host = _text(row.get("host"), f"{key}.host")
	return Endpoint(
		name=_text(row.get("name", host), f"{key}.name"),
		host=host,
		port=_port(row.get("port"), f"{key}.port") or DEFAULT_PORT,
		user=_text(row["user"], f"{key}.user") if "user" in row else None,
		password=_text(row["password"], f"{key}.password", secret=True) if "password" in row else None,
		weight=_weight(row.get("weight", 1), f"{key}.weight"),
		pool=_text(row.get("pool", DEFAULT_POOL), f"{key}.pool"),
		tls=_tls(row.get("tls"), f"{key}.tls"),
	)


def _from_core_keys(conf: Mapping) -> tuple[Endpoint, ...]:
	if not _switch(_given(conf, "read_from_replica") or 0, "read_from_replica"):
		return ()
	user = password = None
	if _switch(conf.get("different_credentials_for_replica") or 0, "different_credentials_for_replica"):
		# Core calls the user's name replica_db_name; v16 takes replica_db_user first.
		user = _text(conf.get("replica_db_user") or conf.get("replica_db_name"), "replica_db_name")
		password = _text(conf.get("replica_db_password"), "replica_db_password", secret=True)
	host = _text(conf.get("replica_host"), "replica_host")
	# Not the primary's port: with that, a replica on the same machine would be the primary itself.
	port = _port(conf.get("replica_db_port"), "replica_db_port") or DEFAULT_PORT
	return (Endpoint(name=host, host=host, port=port, user=user, password=password),)


def _from_original_keys(conf: Mapping) -> tuple[Endpoint, ...]:
	if not _switch(conf.get("use_slave_for_read_only") or 0, "use_slave_for_read_only"):
		return ()
	host, port = split_address(_text(conf.get("slave_host"), "slave_host"), "slave_host")
	user = password = None
	if conf.get("slave_db_name"):
		user = _text(conf["slave_db_name"], "slave_db_name")
		password = _text(conf.get("slave_db_password"), "slave_db_password", secret=True)
	return (Endpoint(name=host, host=host, port=port or DEFAULT_PORT, user=user, password=password),)


def split_address(address: str, key: str) -> tuple[str, int | None]:
	"""Take `host`, `host:port` or `[ipv6]:port` apart."""
	host, colon, port = address.rpartition(":")
	if address.startswith("[") and not address.endswith("]"):
		return host.strip("[]"), _port(port, key)
	if colon and ":" not in host:
		return _text(host, key), _port(port, key)
	return address.strip("[]"), None


def _policy(full: Mapping) -> Need:
	chosen = {key: full[key] for key in POLICY_KEYS if full.get(key) is not None}
	for key, value in chosen.items():
		_check_policy(f"{FULL_KEY}.{key}", key, value)
	return Need(**chosen).or_else(DEFAULTS)


def _check_policy(path: str, key: str, value: Any) -> None:
	try:
		Need(**{key: value})
	except (TypeError, ValueError) as error:
		raise ConfigurationError(path, str(error), "correct it, or leave it out for the default") from None


def _max_lag_of_pools(pools: Any) -> tuple[tuple[str, float], ...]:
	key = f"{FULL_KEY}.pools"
	if pools is None:
		return ()
	if not isinstance(pools, Mapping):
		raise ConfigurationError(
			key, f"is {pools!r}", 'write an object such as {"reports": {"max_lag": 600}}'
		)
	limits = []
	for name, policy in pools.items():
		if not isinstance(policy, Mapping):
			raise ConfigurationError(
				f"{key}.{name}", f"is {policy!r}", 'write an object such as {"max_lag": 600}'
			)
		_check_known(policy, POOL_KEYS, f"{key}.{name}")
		_check_policy(f"{key}.{name}.max_lag", "max_lag", policy.get("max_lag"))
		if policy.get("max_lag") is not None:
			limits.append((name, policy["max_lag"]))
	return tuple(limits)


def _limits(full: Mapping) -> dict[str, Any]:
	limits = {}
	for key in LIMIT_KEYS:
		value = full.get(key)
		if value is None:
			continue
		whole = key == "connections_per_replica"
		right_type = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
		if not right_type or value <= 0:
			kind = "a whole number" if whole else "a number of seconds"
			raise ConfigurationError(f"{FULL_KEY}.{key}", f"is {value!r}", f"write {kind} of more than 0")
		limits[key] = value
	return limits


def _check_known(given: Mapping, known: tuple[str, ...], key: str) -> None:
	for name in given:
		if name not in known:
			raise ConfigurationError(
				f"{key}.{name}", "is not a key of this app", f"use one of {', '.join(known)}"
			)


def _text(value: Any, key: str, secret: bool = False) -> str:
	if isinstance(value, str) and value.strip():
		return value if secret else value.strip()
	problem = "is missing" if value is None else "is not a text" if secret else f"is {value!r}"
	raise ConfigurationError(key, problem, "write a text between quotes")


def _port(value: Any, key: str) -> int | None:
	if value in (None, ""):
		return None
	if not isinstance(value, bool) and str(value).isdigit() and 0 < int(value) < 65536:
		return int(value)
	raise ConfigurationError(key, f"{value!r} is not a port", "write a number from 1 to 65535")


def _weight(value: Any, key: str) -> float:
	if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
		return value
	raise ConfigurationError(
		key, f"is {value!r}", "write a number of more than 0; leave the replica out to rest it"
	)


def _tls(value: Any, key: str) -> Any:
	if value is None or value is False:
		return value
	if not isinstance(value, Mapping):
		raise ConfigurationError(
			key, f"is {value!r}", 'write an object such as {"ca": "/path/ca.pem"}, or false'
		)
	_check_known(value, TLS_KEYS, key)
	_text(value.get("ca"), f"{key}.ca")
	return dict(value)


def _switch(value: Any, key: str) -> bool:
	if value in (0, 1, "0", "1"):
		return bool(int(value))
	raise ConfigurationError(key, f"is {value!r}", "write 1 or 0")


def core_keys_for(conf: Mapping) -> dict[str, Any]:
	"""Core's keys for a site that has only the original ones, values unchanged; else nothing.

	An original key that cannot be used adds nothing: `settings_from` says what is wrong with it.
	"""
	if conf.get("replica_host") or _given(conf, "read_from_replica") is not None or conf.get(FULL_KEY):
		return {}
	if not conf.get("use_slave_for_read_only") or not conf.get("slave_host"):
		return {}
	try:
		host, port = split_address(conf["slave_host"], "slave_host")
	except ConfigurationError:
		return {}
	keys = {"read_from_replica": conf["use_slave_for_read_only"], "replica_host": host}
	if port:
		keys["replica_db_port"] = port
	if conf.get("slave_db_name"):
		keys |= {
			"different_credentials_for_replica": 1,
			"replica_db_name": conf["slave_db_name"],
			"replica_db_user": conf["slave_db_name"],
			"replica_db_password": conf.get("slave_db_password"),
		}
	return keys
