# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Makes and checks core's own keys for a replica, which core and other apps such as Insights read.

Up to v15, core takes `replica_db_name` for the name of a user. v16 has `replica_db_user` for that, and
Insights takes `replica_db_name` for the database, as its name says.
"""

import json
from collections.abc import Mapping
from typing import Any

import frappe
from frappe.utils import connections

from read_replica.config.keys import FULL_KEY, configured
from read_replica.config.settings import split_address
from read_replica.core.patching import core_function
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.sentence import Sentence


def core_has_user_key() -> bool:
	"""Returns whether core takes the user from `replica_db_user`, so that `replica_db_name` is the database."""
	core = core_function(frappe, "connect_replica")
	return "replica_db_user" in core.__code__.co_names


def has_redis_for_events() -> bool:
	"""Returns whether core sends events to browsers through a Redis of its own key, `redis_socketio`."""
	return "redis_socketio" in connections.REDIS_KEYS


def keys_for(conf: Mapping, has_user_key: bool) -> dict[str, Any]:
	"""Returns core's keys for a site that has only the original ones; empty for any other site.

	Empty as well if an original key is invalid: `config.settings.settings_from` says what is wrong with it.

	:param has_user_key: the answer of `core_has_user_key`
	"""
	if conf.get("replica_host") or configured(conf, "read_from_replica") is not None or conf.get(FULL_KEY):
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
	if user := conf.get("slave_db_name"):
		keys |= {
			"different_credentials_for_replica": 1,
			"replica_db_name": conf["db_name"] if has_user_key else user,
			"replica_db_user": user,
			"replica_db_password": conf.get("slave_db_password"),
		}
	return keys


def corrected_keys_for(conf: Mapping, added: list[str], has_user_key: bool) -> dict[str, Any]:
	"""Returns right values for the wrong ones among the keys that an earlier migrate has added.

	It wrote the user's name for both keys on each version; and a site may have come from v15 to v16.
	"""
	user = conf.get("replica_db_user")
	right = conf.get("db_name") if has_user_key else user
	if not {"replica_db_name", "replica_db_user"} <= set(added):
		return {}
	if not user or conf.get("replica_db_name") not in (user, conf.get("db_name")):
		# It was changed by hand since.
		return {}
	return {} if conf["replica_db_name"] == right else {"replica_db_name": right}


def problems(conf: Mapping, replicas: tuple) -> list[str]:
	"""Returns what keeps other apps that read core's keys from the replicas, in sentences.

	:param replicas: the endpoints that this app reads from
	"""
	if not replicas:
		return []
	full = conf.get(FULL_KEY) or {}
	if "replicas" in full and conf.get("replica_host") not in [replica.host for replica in replicas]:
		return [
			Sentence(
				"Insights, and others that read core's keys, know no replica of this site. For them, write beside {0} in"
				" site_config.json: {1}",
				repr(FULL_KEY),
				_as_json(_keys_of(conf, replicas[0])),
			)
		]
	user = conf.get("replica_db_name") if conf.get("different_credentials_for_replica") else None
	if user and user != conf.get("db_name") and "insights" in frappe.get_installed_apps():
		if not core_has_user_key():
			return [
				Sentence(
					"Insights takes replica_db_name, which is {0}, for the database, and so reads the primary. Give the"
					" replica's user the name of the database.",
					repr(user),
				)
			]
		keys = {"replica_db_user": user, "replica_db_name": conf.get("db_name")}
		return [
			Sentence(
				"Insights takes replica_db_name, which is {0}, for the database, and so reads the primary. Write {1}.",
				repr(user),
				_as_json(keys),
			)
		]
	return []


def _keys_of(conf: Mapping, replica: Any) -> dict[str, Any]:
	keys = {"read_from_replica": 1, "replica_host": replica.host, "replica_db_port": replica.port}
	if not replica.user:
		return keys | {"replica_db_name": conf.get("db_name")}
	name = conf.get("db_name") if core_has_user_key() else replica.user
	keys |= {"different_credentials_for_replica": 1, "replica_db_name": name, "replica_db_user": replica.user}
	return keys | {"replica_db_password": "…"}


def _as_json(keys: dict[str, Any]) -> str:
	return json.dumps(keys, ensure_ascii=False)[1:-1]
