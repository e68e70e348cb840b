# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs the doctor's checks for the current site."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import frappe

from read_replica.config.settings import settings_from, silenced_checks
from read_replica.deploy import (
	database_checks,
	doctor,
	redis_checks,
	replication_checks,
	server_checks,
	site_checks,
	site_notes,
	sync_checks,
)
from read_replica.deploy.doctor import Check
from read_replica.deploy.facts import Databases
from read_replica.deploy.redis_facts import Redises
from read_replica.deploy.reports import CheckRow, DoctorReport
from read_replica.deploy.site_logins import primary_login, replica_login

OF_DATABASES = (*replication_checks.CHECKS, *database_checks.CHECKS)
CHECKS = (
	*OF_DATABASES,
	*redis_checks.CHECKS,
	*server_checks.CHECKS,
	*sync_checks.CHECKS,
	*site_checks.CHECKS,
)


def examine(
	ids: Sequence[str],
	tags: Sequence[str],
	fail_level: Literal["warn", "fail"],
	findings: Mapping[str, Callable[[], list[str]]],
) -> DoctorReport:
	"""Returns what the checks have found, those that are silenced in site_config.json left out.

	:param ids: of the checks to run; these and those of the tags, or all if neither is given
	:param findings: what finds each kind of problem with the site itself, by the ids of site_checks
	:raises ConfigurationError: if the site's configuration is wrong
	:raises ValueError: if there is no check of an id or tag
	"""
	conf = frappe.local.conf
	settings = settings_from(conf)
	primary = primary_login(conf)
	replicas = [replica_login(endpoint, primary) for endpoint in (settings.replicas if settings else ())]
	silenced = silenced_checks(conf)
	databases = Databases(primary, replicas, conf.db_name, primary.user)
	redises = Redises(conf)
	wanted = doctor.chosen(CHECKS, ids, tags, silenced)
	asked = {check.id for check in wanted}
	told = site_checks.Told({id: find for id, find in findings.items() if id in asked})
	checks = [
		*_at(OF_DATABASES, databases),
		*_at(redis_checks.CHECKS, redises),
		*_of_servers(redises, asked),
		*_at(sync_checks.CHECKS, Path(frappe.get_site_path()).absolute()),
		*_at(site_checks.CHECKS, told),
	]
	found = doctor.run([check for check in checks if check.id in asked], None)
	return DoctorReport(
		site=frappe.local.site,
		at=datetime.now(timezone.utc),
		replicas=[login.name for login in replicas],
		findings=found,
		silenced=sorted(silenced),
		exit_status=doctor.exit_status(found, fail_level),
	)


def _of_servers(redises: Redises, asked: Set[str]) -> list[Check]:
	"""Returns the checks of the app servers. What they need is gathered here, as they run in threads that have no site."""
	if not asked & {check.id for check in server_checks.CHECKS}:
		return []
	try:
		return _at(server_checks.CHECKS, site_notes.app_servers(redises))
	except Exception as error:
		return [check.without(error) for check in server_checks.CHECKS]


def _at(checks: Sequence[Check], servers: Any) -> list[Check]:
	return [check.at(servers) for check in checks]


def known_checks() -> list[CheckRow]:
	"""Returns all checks, with what each expects."""
	return [CheckRow(check.id, check.expected, list(check.tags)) for check in CHECKS]
