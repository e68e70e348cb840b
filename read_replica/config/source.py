# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The keys that the settings are made from, as they stand in the files now."""

import contextlib
import inspect
import os
from collections.abc import Mapping
from typing import Any

import frappe

# What `core.replica_switch.switch_core_on` writes into a request's configuration, and never into a file.
SWITCHED_ON = "by read_replica"

# From v16 on.
KEPT_BY_PROCESS = "cached" in inspect.signature(frappe.get_site_config).parameters

FULL_KEY = "read_replica"
COMMON_CONFIG = "common_site_config.json"

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
	return tuple(given(conf, key) for key in SOURCE_KEYS)


def given(conf: Mapping, key: str) -> Any:
	"""A key as the administrator wrote it, without what `core.replica_switch.switch_core_on` adds for a request."""
	value = conf.get(key)
	return None if value == SWITCHED_ON else value


def renew(conf: dict) -> None:
	"""Let a request know our keys as they stand in the files now.

	v16 keeps the configuration in each web process for a minute, and each request has a copy of that; a
	switchover cannot wait so long.
	"""
	if not KEPT_BY_PROCESS:
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
