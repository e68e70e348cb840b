# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""`bench read-replica queues`: adds a queue for each server, for servers that share one Redis."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import frappe
from frappe.installer import update_site_config

from read_replica.jobs import queues
from read_replica.jobs.rule_checks import check_server_id
from read_replica.jobs.rules import named_servers
from read_replica.jobs.servers import this_server


class Queues(NamedTuple):
	"""Servers that are to have a queue of their own; whose queue was added just now; and who has none yet."""

	wanted: list[str]
	added: list[str]
	missing: list[str]


def add(server_ids: Iterable[str], write: bool) -> Queues:
	"""Add missing queues to `workers` of common_site_config.json.

	Leaves queues as they are that are there already.

	:param server_ids: servers beside this one and those that rules name
	:param write: False: only tell what is missing
	:raises frappe.ValidationError: if a server cannot be called so
	"""
	wanted = sorted({*server_ids, *named_servers(), this_server()})
	for server_id in wanted:
		check_server_id(server_id)
	path = os.path.join(frappe.local.sites_path, "common_site_config.json")
	workers = frappe.get_file_json(path).get("workers") or {}
	missing = [server_id for server_id in wanted if server_id not in workers]
	if not missing or not write:
		return Queues(wanted, [], missing)
	# A server's queue holds short and long jobs; each keeps the timeout of the queue it was enqueued for.
	timeout = max(queues.timeout_of(queue) for queue in queues.QUEUES_OF_ALL)
	workers |= {server_id: {"timeout": timeout} for server_id in missing}
	update_site_config("workers", workers, validate=False, site_config_path=path)
	return Queues(wanted, missing, [])
