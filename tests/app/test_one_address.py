# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A site whose replica_host is a load balancer: what a user has saved is in the list, whoever answers."""

import json
from collections.abc import Iterator

import frappe
import pytest

from support.bench import SITE
from support.one_address import OneAddress, one_address

from .conftest import in_another_worker


@pytest.fixture
def balanced(configured, servers) -> Iterator[OneAddress]:
	with one_address(*servers.replicas) as address:
		readers = {"name": "readers", "host": address.host, "port": address.port}
		configured.configure(read_replica={"replicas": [readers]})
		yield address


def test_lists_show_what_was_saved_behind_a_load_balancer_with_a_late_server(balanced, servers, browser):
	late = servers.replicas[1]
	late.query("STOP SLAVE SQL_THREAD")
	try:
		for number in range(12):
			name = browser.call("frappe.client.insert", doc={"doctype": "ToDo", "description": str(number)})[
				"name"
			]
			in_another_worker(_open_another_connection)
			found = browser.call(
				"frappe.desk.reportview.get",
				doctype="ToDo",
				fields='["name"]',
				filters=f'[["ToDo","name","=","{name}"]]',
			)
			assert found and found["values"] == [[name]]
	finally:
		late.query("START SLAVE SQL_THREAD")


def _open_another_connection() -> None:
	from read_replica.site import router_of_site

	router_of_site().replicas[0].pool.close_idle()


def test_status_names_the_servers_behind_an_address(balanced, site):
	said = balanced_status(site)
	assert "several servers behind this address: 2 (" in said and "3 (" in said, said
	[replica] = json.loads(site.run("--site", SITE, "read-replica", "status", "--json").stdout)["replicas"]
	assert ", ".join(replica["servers"]) in said and replica["behind_proxy"] is False


def balanced_status(site) -> str:
	frappe.db.rollback()
	said = site.bench("--site", frappe.local.site, "read-replica", "status")
	# A long state is wrapped within its cell.
	return " ".join(said.replace("│", " ").split())
