# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Gives the current site a database user of its own for its replicas."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import frappe
import pymysql

from read_replica.config.settings import settings_from
from read_replica.deploy import json_file, replica_user
from read_replica.deploy.accounts import Account, create_reader, new_password
from read_replica.deploy.replica_keys import keys_with_user
from read_replica.deploy.replica_user import Proof
from read_replica.deploy.reports import UserReport
from read_replica.deploy.servers import address_seen_by
from read_replica.deploy.site_logins import primary_login, replica_login
from read_replica.engine.errors import ConfigurationError

# What a command says as a sentence, without a traceback.
ERRORS = (
	ConfigurationError,
	frappe.ValidationError,
	pymysql.err.MySQLError,
	replica_user.AccountDiffers,
	OSError,
	ValueError,
)

TABLE = "tabDocType"
HIDDEN = "…"


class SiteUser:
	"""The user of the current site for its replicas.

	:param user: the name; None: the one that site_config.json has already, or one made from the database's
	:param hosts: where it logs in from; none: the address by which the servers know this machine
	:param has_user_key: whether core takes the user's name from replica_db_user, as v16 does
	:raises frappe.ValidationError: if no replica is configured
	"""

	def __init__(self, user: str | None, hosts: Sequence[str], has_user_key: bool) -> None:
		self._conf = frappe.local.conf
		self._has_user_key = has_user_key
		settings = settings_from(self._conf)
		if not settings:
			frappe.throw(
				"No replica is configured. Name one in site_config.json first:"
				' {"read_replica": {"replicas": [{"name": "replica01", "host": "10.0.0.2"}]}}'
			)
		self._endpoints = settings.replicas
		self._primary = primary_login(self._conf)
		self._replicas = [replica_login(endpoint, self._primary) for endpoint in self._endpoints]
		configured = next(
			(one for one in self._endpoints if one.user not in (None, self._primary.user)), None
		)
		self.user = user or (configured.user if configured else f"{self._conf.db_name}_read")
		self.password = configured.password if configured and configured.user == self.user else None
		self.hosts = list(hosts) or sorted(
			{address_seen_by(login) for login in (self._primary, *self._replicas)}
		)

	def report(self) -> UserReport:
		"""Returns an empty report on this user."""
		return UserReport(frappe.local.site, datetime.now(timezone.utc), self.user, self.hosts)

	def plan(self, shows_password: bool) -> UserReport:
		"""Returns what would be done; nothing is changed.

		:param shows_password: whether the SQL can be run as it stands, and the password is told
		"""
		password = self.password or new_password()
		report = self.report()
		statements = create_reader(self._accounts(), password, self._conf.db_name)
		if not shows_password:
			hidden = replica_user.password_hash(password)
			statements = [statement.replace(hidden, HIDDEN) for statement in statements]
		report.sql, report.password = statements, password if shows_password else None
		report.diff = self._change(password).diff()
		return report

	def make(self, root: str, root_password: str, resets_password: bool) -> UserReport:
		"""Make the user on the primary, prove it, and write it into site_config.json if it is proved.

		:param root: a user of the primary who may create users
		:param resets_password: whether a user that is there gets a password that site_config.json has, or a new one
		:raises AccountDiffers: if the user is there already, and may do more or has another password
		"""
		password = self.password or new_password()
		report = self.report()
		admin = replace(self._primary, user=root, password=root_password)
		ran = replica_user.create(admin, self._accounts(), password, self._conf.db_name, resets_password)
		hidden = replica_user.password_hash(password)
		report.sql = [statement.replace(hidden, HIDDEN) for statement in ran]
		report.has_changed = bool(ran)
		return self._prove_and_write(report, password)

	def take(self, password: str) -> UserReport:
		"""As `make`, for a user that somebody has made by hand."""
		return self._prove_and_write(self.report(), password)

	def check(self) -> UserReport:
		"""Prove the user that site_config.json has.

		:raises frappe.ValidationError: if it has none
		"""
		if self.password is None:
			frappe.throw(f"site_config.json has no password of the user {self.user}: make it with --run")
		report = self.report()
		report.proofs = self._prove(self.password)
		return report

	def _prove_and_write(self, report: UserReport, password: str) -> UserReport:
		report.proofs = self._prove(password)
		change = self._change(password)
		report.diff = change.diff()
		if change and report.is_proved:
			change.write()
			report.has_changed = True
		return report

	def _prove(self, password: str) -> list[Proof]:
		return replica_user.prove(
			self._primary, self._replicas, self.user, password, self._conf.db_name, TABLE
		)

	def _accounts(self) -> list[Account]:
		return [Account(self.user, host) for host in self.hosts]

	def _change(self, password: str) -> json_file.Change:
		path = Path(frappe.get_site_path("site_config.json"))
		names = [endpoint.name for endpoint in self._endpoints]
		keys = keys_with_user(self._conf, self.user, password, names, self._has_user_key)
		return json_file.changed(path, keys)
