# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Opens raw connections to the site's servers."""

from typing import Any

import frappe

from read_replica.engine import dialect
from read_replica.engine.settings import Endpoint


class Connector:
	"""Opens raw connections as the site's Database class does, with its charset and TLS, in any thread."""

	def __init__(self, primary: Any):
		self._class = type(primary)
		self._driver = "mysqlclient" if "mysqlclient" in self._class.__module__ else "pymysql"
		# Core looks into the request's configuration here, which other threads do not have.
		self._settings = primary.get_connection_settings()
		# v14 takes the user's name for the database's.
		self._settings["database"] = frappe.local.conf.db_name

	def connect(self, endpoint: Endpoint | None, timeout: float) -> Any:
		"""Open a connection to a replica, or to the primary (None), within `timeout` seconds.

		:raises Exception: what the driver raises if that is not possible
		"""
		settings = self._settings | dialect.limits_of_connecting(timeout, self._driver)
		if endpoint:
			_point_to(endpoint, settings)
		opener = object.__new__(self._class)
		opener.get_connection_settings = lambda: settings
		return opener.get_connection()


def _point_to(endpoint: Endpoint, settings: dict[str, Any]) -> None:
	settings.pop("unix_socket", None)
	# mysqlclient takes `localhost` for the local socket, which is the primary's.
	settings["host"] = "127.0.0.1" if endpoint.host == "localhost" else endpoint.host
	settings["port"] = endpoint.port
	if endpoint.user:
		settings["user"] = endpoint.user
	if endpoint.password:
		settings["password"] = endpoint.password
	if endpoint.tls is False:
		settings.pop("ssl", None)
	elif endpoint.tls:
		settings["ssl"] = endpoint.tls
