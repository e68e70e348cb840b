# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Says which keys of site_config.json name the user that replicas are read with, in each of its forms."""

from collections.abc import Collection, Mapping
from typing import Any

from read_replica.config.keys import FULL_KEY, configured


def keys_with_user(
	conf: Mapping[str, Any], user: str, password: str, replicas: Collection[str], has_user_key: bool
) -> dict[str, Any]:
	"""Returns the keys, with their new values, that let a site log in to replicas as a user.

	:param conf: the content of site_config.json
	:param replicas: the names of the replicas that are read with it, in the full form
	:param has_user_key: whether core takes the user's name from replica_db_user, as v16 does
	"""
	full = conf.get(FULL_KEY)
	if isinstance(full, Mapping) and "replicas" in full:
		rows = [
			{**row, "user": user, "password": password} if _name(row) in replicas else row
			for row in full["replicas"]
		]
		return {FULL_KEY: {**full, "replicas": rows}}
	if conf.get("replica_host") or configured(conf, "read_from_replica"):
		return {
			"different_credentials_for_replica": 1,
			"replica_db_name": conf["db_name"] if has_user_key else user,
			"replica_db_user": user,
			"replica_db_password": password,
		}
	return {"slave_db_name": user, "slave_db_password": password}


def _name(row: Mapping[str, Any]) -> Any:
	return row.get("name", row.get("host"))
