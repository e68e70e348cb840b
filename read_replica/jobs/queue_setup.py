# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""`bench read-replica queues`: adds a queue for each server, for servers that share one Redis."""

import os
from collections.abc import Iterable

import frappe
from frappe.installer import update_site_config

from read_replica.jobs import queues
from read_replica.jobs.rule_checks import check_server_id
from read_replica.jobs.rules import named_servers
from read_replica.jobs.servers import this_server


def add(server_ids: Iterable[str], write: bool) -> str:
	"""Add missing queues to `workers` of common_site_config.json; returns text on what is left to do.

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
	# A server's queue holds short and long jobs; each keeps the timeout of the queue it was enqueued for.
	timeout = max(queues.timeout_of(queue) for queue in queues.QUEUES_OF_ALL)
	missing = {server_id: {"timeout": timeout} for server_id in wanted if server_id not in workers}
	if missing and write:
		update_site_config("workers", {**workers, **missing}, validate=False, site_config_path=path)
	return "\n".join(_what_to_do(wanted, missing, write))


def _what_to_do(wanted: list[str], missing: dict, write: bool) -> Iterable[str]:
	if not missing:
		yield f"{', '.join(wanted)}: all have a queue in common_site_config.json."
	elif not write:
		yield f"Not in common_site_config.json yet: {', '.join(missing)}. To add them: the same with --write"
		return
	else:
		yield f"Added to `workers` in common_site_config.json: {', '.join(missing)}."
	yield "Run the same on each server that shares this Redis; all need the same `bench_id` there."
	yield "Then, on each of them: bench restart, and workers for that server's own queue. On this one:"
	yield f"  SERVER_ID={this_server()} bench worker --queue {this_server()},short,default,long"
	yield "`bench setup supervisor` makes workers for all queues in `workers`: keep those of this server only."
