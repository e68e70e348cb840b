# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Opens raw connections to the site's servers."""

from typing import Any

import frappe
import pymysql

from read_replica.engine import dialect
from read_replica.engine.settings import Endpoint

LOCAL_HOSTS = ("127.0.0.1", "::1")


class Connector:
	"""Opens raw connections as the site's Database class does, with its charset and TLS.

	Made where there is a request, as core's settings need its configuration; may then be used in any thread.
	"""

	def __init__(self, primary: Any) -> None:
		self._class = type(primary)
		self._driver = "mysqlclient" if "mysqlclient" in self._class.__module__ else "pymysql"
		# Core reads the request's configuration here, which other threads do not have.
		self._settings = primary.get_connection_settings()
		# v14 takes the user's name for the database's.
		self._settings["database"] = frappe.local.conf.db_name

	def connect(self, endpoint: Endpoint | None, timeout: float) -> Any:
		"""Open a connection to a replica, or to the primary (None), within `timeout` seconds.

		:raises Exception: what the driver raises if that is not possible
		"""
		settings = self._settings | dialect.connect_timeouts(timeout, self._driver)
		if endpoint:
			_point_to(endpoint, settings)
			self._encrypt(endpoint, settings)
		opener = object.__new__(self._class)
		opener.get_connection_settings = lambda: settings
		connection = opener.get_connection()
		if endpoint and endpoint.tls:
			_require_tls(connection, timeout)
		return connection

	def _encrypt(self, endpoint: Endpoint, settings: dict[str, Any]) -> None:
		"""Set the driver's TLS options as the endpoint says; None leaves them as for the site's primary.

		:raises Exception: what PyMySQL raises if it does not accept the certificate
		"""
		if endpoint.tls is None:
			return
		settings.pop("ssl", None)
		if endpoint.tls:
			settings["ssl"] = endpoint.tls
		if self._driver != "mysqlclient":
			return
		if not endpoint.tls:
			# Newer C libraries ask for TLS by themselves.
			settings["ssl_mode"] = "DISABLED"
		elif endpoint.tls.get("check_hostname", True):
			if settings["host"] in LOCAL_HOSTS:
				# The C library checks no names there from 3.4 on. A tunnel to another host may begin there.
				_check_certificate(settings)
			settings["ssl_mode"] = "VERIFY_IDENTITY"
		else:
			# The C library checks certificate and name, or neither: PyMySQL checks the certificate alone. From 3.4 on,
			# it checks both wherever it is given an authority.
			_check_certificate(settings)
			settings["ssl"] = {name: path for name, path in endpoint.tls.items() if name in ("cert", "key")}
			settings["ssl_mode"] = "REQUIRED"


def _check_certificate(settings: dict[str, Any]) -> None:
	names = ("host", "port", "user", "password", "database", "ssl", "connect_timeout")
	of_pymysql = {name: settings[name] for name in names if name in settings}
	pymysql.connect(**of_pymysql, read_timeout=settings["connect_timeout"]).close()


def _require_tls(connection: Any, timeout: float) -> None:
	try:
		dialect.require_tls(connection, timeout)
	except BaseException:
		connection.close()
		raise


def _point_to(endpoint: Endpoint, settings: dict[str, Any]) -> None:
	settings.pop("unix_socket", None)
	# mysqlclient takes `localhost` for the local socket, which is the primary's.
	settings["host"] = "127.0.0.1" if endpoint.host == "localhost" else endpoint.host
	settings["port"] = endpoint.port
	if endpoint.user:
		settings["user"] = endpoint.user
	if endpoint.password:
		settings["password"] = endpoint.password
