# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs the doctor's checks for the current site."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

import frappe

from read_replica.config.settings import settings_from, silenced_checks
from read_replica.deploy import database_checks, doctor, redis_checks, replication_checks, site_checks
from read_replica.deploy.doctor import Check
from read_replica.deploy.facts import Databases
from read_replica.deploy.redis_facts import Redises
from read_replica.deploy.reports import CheckRow, DoctorReport
from read_replica.deploy.site_logins import primary_login, replica_login

OF_DATABASES = (*replication_checks.CHECKS, *database_checks.CHECKS)
CHECKS = (*OF_DATABASES, *redis_checks.CHECKS, *site_checks.CHECKS)


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
	checks = _at(OF_DATABASES, databases) + _at(redis_checks.CHECKS, Redises(conf))
	checks = doctor.chosen(checks + list(site_checks.CHECKS), ids, tags, silenced)
	wanted = {check.id for check in checks} & findings.keys()
	told = site_checks.Told({id: findings[id] for id in sorted(wanted)})
	found = doctor.run([check.at(told) if check.id in wanted else check for check in checks], None)
	return DoctorReport(
		site=frappe.local.site,
		at=datetime.now(timezone.utc),
		replicas=[login.name for login in replicas],
		findings=found,
		silenced=sorted(silenced),
		exit_status=doctor.exit_status(found, fail_level),
	)


def _at(checks: Sequence[Check], servers: Any) -> list[Check]:
	return [check.at(servers) for check in checks]


def known_checks() -> list[CheckRow]:
	"""Returns all checks, with what each expects."""
	return [CheckRow(check.id, check.expected, list(check.tags)) for check in CHECKS]
