# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reads the keys that the settings are made from, as they stand in the configuration files now."""

import contextlib
import inspect
import os
from collections.abc import Mapping
from typing import Any

import frappe

from read_replica.config.keys import SOURCE_KEYS, configured

# From v16 on, frappe.get_site_config caches the configuration in each process.
CONFIG_IS_CACHED = "cached" in inspect.signature(frappe.get_site_config).parameters

COMMON_CONFIG = "common_site_config.json"


def fingerprint(conf: Mapping) -> tuple:
	"""Returns the values that the settings are made from, to compare with later ones."""
	return tuple(configured(conf, key) for key in SOURCE_KEYS)


def reload_keys(conf: dict) -> None:
	"""Update this app's keys in a request's configuration if the files have changed.

	v16 caches the configuration in each web process for a minute, and each request gets a copy of that. A
	switchover cannot wait so long.
	"""
	if not CONFIG_IS_CACHED:
		return
	site = frappe.local.site
	modified_at = _modified_at()
	known_at, values = _last_read.get(site, (None, conf))
	if modified_at != known_at:
		# A file that is half written is no JSON: the next request reads it.
		with contextlib.suppress(ValueError):
			now = frappe.get_site_config()
			values = {key: now[key] for key in SOURCE_KEYS if key in now}
			_last_read[site] = (modified_at, values)
	for key in SOURCE_KEYS:
		if key in values:
			conf[key] = values[key]
		else:
			conf.pop(key, None)


# By site: when the files were last modified, and this app's keys as this process has read them then.
_last_read: dict[str, tuple[tuple, dict[str, Any]]] = {}


def _modified_at() -> tuple[float, ...]:
	paths = (frappe.get_site_path("site_config.json"), os.path.join(frappe.local.sites_path, COMMON_CONFIG))
	return tuple(os.stat(path).st_mtime_ns if os.path.exists(path) else 0 for path in paths)
