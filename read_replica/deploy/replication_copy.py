# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes the commands that copy a running primary into a new replica: mariadb-backup, streamed by mbstream.

Not a dump: of tables that are not InnoDB, and Frappe has some, a dump takes rows that were written after the position
that it notes, and replication stops at their second coming (1062). A dump of the site's database alone lacks the
accounts, and stops at the next GRANT to one of them.
"""

import shlex

from read_replica.deploy import database_checks
from read_replica.deploy.facts import Variables
from read_replica.deploy.replication_plan import Plan

# From this version on, mariadb-backup names its file after itself.
RENAMED = (11, 1)


def copy_commands(primary: Variables, replica: Variables | None, plan: Plan) -> list[str]:
	"""Returns the commands, all of them for root on the primary, as what stops a server names the replica's host.

	The data that the replica had is kept in a folder beside it. The copy comes up without a primary to follow, as
	its master.info is not part of the copy.

	:param replica: None if it cannot be asked; its data folder is taken to be where the primary has its own
	"""
	data = (replica or primary)["datadir"].rstrip("/")
	copy, before = shlex.quote(f"{data}.copy"), shlex.quote(f"{data}.before")
	data = shlex.quote(data)
	backup = (
		f"mariadb-backup --backup --stream=mbstream --user=root --socket={shlex.quote(primary['socket'])}"
	)
	return [
		_there(plan, f"mkdir -m 700 {copy}"),
		# Without pipefail, a copy that broke off would count as one that is complete.
		f"set -o pipefail; {backup} | {_there(plan, f'mbstream -x -C {copy}')}",
		_there(plan, f"mariadb-backup --prepare --target-dir={copy}"),
		# The position of the copy, to be given to --position.
		_there(plan, f"cut -f3 {copy}/{info_file(primary['version'])}"),
		_there(plan, "systemctl stop mariadb"),
		_there(
			plan,
			f"mv {data} {before} && mkdir -m 700 {data} &&"
			f" mariadb-backup --move-back --target-dir={copy} --datadir={data} && chown -R mysql:mysql {data}",
		),
		_there(plan, "systemctl start mariadb"),
	]


def info_file(version: str) -> str:
	"""Returns the name of the file in which mariadb-backup of a version notes the position."""
	return (
		"mariadb_backup_binlog_info"
		if database_checks.version(version) >= RENAMED
		else "xtrabackup_binlog_info"
	)


def _there(plan: Plan, command: str) -> str:
	return f"ssh root@{plan.replica_host} {shlex.quote(command)}"
