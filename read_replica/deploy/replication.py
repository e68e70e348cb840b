# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Puts the steps for a new replica into their order."""

from read_replica.deploy.replication_follow import follow
from read_replica.deploy.replication_plan import Plan
from read_replica.deploy.replication_primary import primary_steps
from read_replica.deploy.replication_replica import config_and_copy, equal
from read_replica.deploy.replication_steps import Pair, Step


def all_steps(pair: Pair, plan: Plan, is_admin: bool, shows_password: bool = False) -> list[Step]:
	"""Returns the steps between the servers, from a primary without a replica to one whose replica keeps up.

	:param is_admin: whether the logins of the pair are administrators', so that steps can be run
	:param shows_password: whether the SQL has the account's password
	:raises Skipped: if the primary does not answer
	"""
	servers = pair.ask()
	return [
		*primary_steps(pair, servers, plan, is_admin, shows_password),
		*config_and_copy(servers, plan),
		follow(pair, plan, is_admin, shows_password),
		equal(is_admin),
	]
