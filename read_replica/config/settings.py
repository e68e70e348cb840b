# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Turns site_config.json, in any of its three forms, into one frozen Settings object.

The full form is the key `read_replica`. Core's keys (`read_from_replica`, `replica_host`, ...) and
those of the first version of this feature (`use_slave_for_read_only`, `slave_host`, ...) name one
replica each. Every error names its key.
"""

from collections.abc import Mapping
from typing import Any

from read_replica.config import checks
from read_replica.config.keys import FULL_KEY, configured
from read_replica.engine.dialect import DEFAULT_PORT
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.sentence import Sentence, sentence_of
from read_replica.engine.settings import DEFAULT_POOL, DEFAULTS, CompleteNeed, Endpoint, Need, Settings

POLICY_KEYS = ("consistency", "max_lag", "timeout", "on_unavailable", "on_write")
LIMIT_KEYS = ("connections_per_replica", "connection_max_age", "connect_timeout", "wait")
KNOWN_KEYS = (
	"enabled",
	"replicas",
	"pools",
	"methods",
	"shipped_methods",
	"metrics_token",
	"log_doctypes",
	"silenced_checks",
	*POLICY_KEYS,
	*LIMIT_KEYS,
)
SHORTEST_TOKEN = 16
POOL_KEYS = ("max_lag",)
REPLICA_KEYS = ("name", "host", "port", "user", "password", "weight", "pool", "tls")


def settings_from(conf: Mapping) -> Settings | None:
	"""Returns the settings of a site, or None if routing is switched off or no replica is configured.

	:raises ConfigurationError: naming the key, what is wrong with its value, and the fix
	"""
	full = conf.get(FULL_KEY)
	if full is None:
		full = {}
	if not isinstance(full, Mapping):
		problem = checks.is_value(full, secret=True)
		raise ConfigurationError(FULL_KEY, problem, _object_such_as('{"replicas": [...]}'))
	checks.check_keys(full, KNOWN_KEYS, FULL_KEY)
	if "metrics_token" in full and metrics_token(conf) is None:
		raise ConfigurationError(
			f"{FULL_KEY}.metrics_token",
			Sentence("is no usable secret"),
			Sentence("write a text of {0} characters or more", SHORTEST_TOKEN),
		)
	log_doctypes(conf)
	silenced_checks(conf)
	ships_methods(conf)
	if not checks.switch(full.get("enabled", True), f"{FULL_KEY}.enabled"):
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
	"""Returns the secret that a request for the site's metrics must send; None: metrics are switched off."""
	full = conf.get(FULL_KEY)
	token = full.get("metrics_token") if isinstance(full, Mapping) else None
	return token if isinstance(token, str) and len(token) >= SHORTEST_TOKEN else None


def ships_methods(conf: Mapping) -> bool | None:
	"""Returns whether the methods of the list that this app ships are read on replicas; None: the desk decides.

	:raises ConfigurationError: if `shipped_methods` is no switch
	"""
	full = conf.get(FULL_KEY)
	value = full.get("shipped_methods") if isinstance(full, Mapping) else None
	return None if value is None else checks.switch(value, f"{FULL_KEY}.shipped_methods")


def log_doctypes(conf: Mapping) -> tuple[str, ...]:
	"""Returns the doctypes that count as logs: writing a row of theirs does not end reading from a replica.

	:raises ConfigurationError: if `log_doctypes` is no list of names
	"""
	full = conf.get(FULL_KEY)
	names = full.get("log_doctypes") if isinstance(full, Mapping) else None
	fix = Sentence("write a list of doctypes such as {0}", '["Comment"]')
	return checks.names(names, f"{FULL_KEY}.log_doctypes", fix)


def silenced_checks(conf: Mapping) -> tuple[str, ...]:
	"""Returns the ids of the doctor's checks that this site does not want to hear of.

	:raises ConfigurationError: if `silenced_checks` is no list of names
	"""
	full = conf.get(FULL_KEY)
	names = full.get("silenced_checks") if isinstance(full, Mapping) else None
	fix = Sentence("write a list of checks such as {0}", '["binlog-format"]')
	return checks.names(names, f"{FULL_KEY}.silenced_checks", fix)


def _object_such_as(example: str) -> Sentence:
	return Sentence("write an object such as {0}", example)


def _replicas(conf: Mapping, full: Mapping) -> tuple[Endpoint, ...]:
	if "replicas" in full:
		return _from_full_form(conf, full["replicas"])
	if conf.get("replica_host") or configured(conf, "read_from_replica"):
		return _from_core_keys(conf)
	return _from_original_keys(conf)


def _from_full_form(conf: Mapping, rows: Any) -> tuple[Endpoint, ...]:
	key = f"{FULL_KEY}.replicas"
	if not isinstance(rows, list):
		fix = Sentence("write a list such as {0}", '[{"name": "replica01", "host": "10.0.0.2"}]')
		raise ConfigurationError(key, checks.is_value(rows, secret=True), fix)
	endpoints = tuple(_endpoint(conf, row, f"{key}[{index}]") for index, row in enumerate(rows))
	names = [endpoint.name for endpoint in endpoints]
	for index, name in enumerate(names):
		if name in names[:index] or name == "primary":
			problem, fix = (
				Sentence("{0} is taken", repr(name)),
				Sentence("give each replica a name of its own"),
			)
			raise ConfigurationError(f"{key}[{index}].name", problem, fix)
	return endpoints


def _endpoint(conf: Mapping, row: Any, key: str) -> Endpoint:
	if not isinstance(row, Mapping):
		fix = _object_such_as('{"name": "replica01", "host": "10.0.0.2"}')
		raise ConfigurationError(key, checks.is_value(row, secret=True), fix)
	checks.check_keys(row, REPLICA_KEYS, key)
	host = checks.host(row.get("host"), f"{key}.host")
	return Endpoint(
		name=checks.text(row.get("name", host), f"{key}.name"),
		host=host,
		port=checks.port(row.get("port"), f"{key}.port") or DEFAULT_PORT,
		user=checks.text(row["user"], f"{key}.user") if "user" in row else None,
		password=checks.text(row["password"], f"{key}.password", secret=True) if "password" in row else None,
		weight=checks.weight(row.get("weight", 1), f"{key}.weight"),
		pool=checks.text(row.get("pool", DEFAULT_POOL), f"{key}.pool"),
		tls=checks.tls(row.get("tls"), f"{key}.tls"),
	)


def _from_core_keys(conf: Mapping) -> tuple[Endpoint, ...]:
	if not checks.switch(configured(conf, "read_from_replica") or 0, "read_from_replica"):
		return ()
	user = password = None
	if checks.switch(conf.get("different_credentials_for_replica") or 0, "different_credentials_for_replica"):
		# Up to v15, core's key for the user's name is replica_db_name; v16 takes replica_db_user first.
		user = checks.text(conf.get("replica_db_user") or conf.get("replica_db_name"), "replica_db_name")
		password = checks.text(conf.get("replica_db_password"), "replica_db_password", secret=True)
	host = checks.host(conf.get("replica_host"), "replica_host")
	# Not the primary's port: with that, a replica on the same machine would be the primary itself.
	port = checks.port(conf.get("replica_db_port"), "replica_db_port") or DEFAULT_PORT
	return (Endpoint(name=host, host=host, port=port, user=user, password=password),)


def _from_original_keys(conf: Mapping) -> tuple[Endpoint, ...]:
	if not checks.switch(conf.get("use_slave_for_read_only") or 0, "use_slave_for_read_only"):
		return ()
	host, port = split_address(checks.host(conf.get("slave_host"), "slave_host"), "slave_host")
	user = password = None
	if conf.get("slave_db_name"):
		user = checks.text(conf["slave_db_name"], "slave_db_name")
		password = checks.text(conf.get("slave_db_password"), "slave_db_password", secret=True)
	return (Endpoint(name=host, host=host, port=port or DEFAULT_PORT, user=user, password=password),)


def split_address(address: str, key: str) -> tuple[str, int | None]:
	"""Returns the host and the port, which may be None, of `host`, `host:port` or `[ipv6]:port`.

	:raises ConfigurationError: if host or port is invalid, naming `key`
	"""
	host, colon, port = address.rpartition(":")
	if address.startswith("[") and not address.endswith("]"):
		return host.strip("[]"), checks.port(port, key)
	if colon and ":" not in host:
		return checks.text(host, key), checks.port(port, key)
	return address.strip("[]"), None


def _policy(full: Mapping) -> CompleteNeed:
	chosen = {key: full[key] for key in POLICY_KEYS if full.get(key) is not None}
	for key, value in chosen.items():
		_check_policy(f"{FULL_KEY}.{key}", key, value)
	return Need(**chosen).or_else(DEFAULTS)


def _check_policy(path: str, key: str, value: Any) -> None:
	try:
		Need(**{key: value})
	except (TypeError, ValueError) as error:
		fix = Sentence("correct it, or leave it out for the default")
		raise ConfigurationError(path, sentence_of(error), fix) from None


def _max_lag_of_pools(pools: Any) -> tuple[tuple[str, float], ...]:
	key = f"{FULL_KEY}.pools"
	if pools is None:
		return ()
	if not isinstance(pools, Mapping):
		fix = _object_such_as('{"reports": {"max_lag": 600}}')
		raise ConfigurationError(key, checks.is_value(pools), fix)
	limits = []
	for name, policy in pools.items():
		if not isinstance(policy, Mapping):
			fix = _object_such_as('{"max_lag": 600}')
			raise ConfigurationError(f"{key}.{name}", checks.is_value(policy), fix)
		checks.check_keys(policy, POOL_KEYS, f"{key}.{name}")
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
			fix = (
				Sentence("write a whole number of more than 0")
				if whole
				else Sentence("write a number of seconds of more than 0")
			)
			raise ConfigurationError(f"{FULL_KEY}.{key}", checks.is_value(value), fix)
		limits[key] = value
	return limits
