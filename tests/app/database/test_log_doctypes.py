# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""An app that writes an audit row in each read keeps its reports on the replicas, if its doctype is listed."""

import frappe
import pytest

from read_replica import read_only
from read_replica.database import log_tables
from read_replica.engine.errors import ConfigurationError

from ..conftest import REPLICAS, full_form, server_id


@pytest.fixture
def listed(site, servers):
	"""Lists doctypes as logs in the site's configuration."""

	def configure(*doctypes: str) -> None:
		site.configure(read_replica=full_form(servers, log_doctypes=list(doctypes)))
		frappe.local.conf.read_replica = site.config()["read_replica"]
		log_tables.forget()

	yield configure
	log_tables.forget()


def audit(name: str) -> dict:
	return {
		"Read Audit": {"report": "Stock", "items": [{}]},
		"Version": {"ref_doctype": "User", "docname": "Guest", "data": "{}"},
		"Comment": {
			"comment_type": "Info",
			"reference_doctype": "User",
			"reference_name": "Guest",
			"content": "read",
		},
		"Integration Request": {
			"integration_request_service": "Reports",
			"status": "Completed",
			"data": "{}",
		},
	}[name] | {"doctype": name}


@read_only
def report(doctype: str) -> tuple[int, int, str]:
	"""The servers of a read before and after an audit row, and its name."""
	before = server_id()
	name = frappe.get_doc(audit(doctype)).insert(ignore_permissions=True).name
	return before, server_id(), name


@pytest.mark.parametrize("doctype", ["Read Audit", "Version", "Comment", "Integration Request"])
def test_a_report_that_writes_a_listed_doctype_goes_on_on_its_replica(listed, doctype):
	listed(doctype)
	for _ in range(2):
		before, after, name = report(doctype)
		assert before in REPLICAS and after in REPLICAS
		assert frappe.db.exists(doctype, name)
		frappe.db.commit()
	assert frappe.db.exists(doctype, name)


def test_a_report_that_writes_what_is_not_listed_stays_on_the_primary(listed):
	listed("Version")
	before, after, _ = report("Read Audit")
	assert before in REPLICAS and after == 1
	frappe.db.rollback()
	assert report("Read Audit")[0] == 1


def test_what_was_written_is_read_where_it_is(listed):
	@read_only
	def writes_and_reads() -> tuple[int, int]:
		name = frappe.get_doc(audit("Read Audit")).insert().name
		return frappe.db.count("Read Audit", {"name": name}), server_id()

	listed("Read Audit")
	found, server = writes_and_reads()
	assert found == 1 and server in REPLICAS


@pytest.mark.parametrize(("value", "key"), [("Comment", ""), (["Comment", 3], "[1]"), ([" "], "[0]")])
def test_a_wrong_list_is_named(value, key):
	from read_replica.config.settings import settings_from

	with pytest.raises(ConfigurationError) as raised:
		settings_from({"read_replica": {"replicas": [{"host": "h"}], "log_doctypes": value}})
	assert raised.value.key == f"read_replica.log_doctypes{key}"
