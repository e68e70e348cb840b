# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What Frappe knows of doctypes: made on the primary, once, also if a call on a replica needs it first."""

import re

import frappe
import pytest
from frappe.desk.form import linked_with
from frappe.desk.form import meta as form_meta

from read_replica import read_only
from read_replica.engine.replica_scope import ReplicaScope

from ..conftest import REPLICAS, overheard, server_id
from .test_cache import late, next_request, written

# Tables that only metadata is made of.
METADATA = re.compile(
	r"tab(?:DocType|DocField|DocPerm|Custom Field|Property Setter|Custom DocPerm)`|information_schema", re.I
)


@read_only(consistency="eventual")
def on_a_replica(read):
	assert server_id() in REPLICAS
	result = read()
	scope = frappe.db.scope
	assert isinstance(scope, ReplicaScope) and not scope.pinned
	assert server_id() in REPLICAS
	return result


CALLS = {
	"get_meta": lambda: frappe.get_meta("ToDo").get_label("description"),
	"the meta of a form": lambda: form_meta.get_meta("ToDo").name,
	"get_list": lambda: frappe.get_list("Note", fields=["name", "title"], filters={"title": "x"}),
	"columns": lambda: frappe.db.get_table_columns("Note"),
	"tables": lambda: len(frappe.db.get_tables()),
	# Roles would not do: what is linked to them are permissions.
	"linked_with": lambda: linked_with.get("Contact", "nobody"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_on_a_replica_makes_metadata_once(site, servers, call):
	frappe.clear_cache()
	next_request()
	first = on_a_replica(CALLS[call])
	next_request()
	with overheard(servers.primary, *servers.replicas) as heard:
		assert on_a_replica(CALLS[call]) == first
		again = [line for line in heard().splitlines() if METADATA.search(line)]
	assert not again, again[:5]


def test_a_late_replica_leaves_no_old_metadata_behind(late):  # noqa: F811
	label = "select label from tabDocField where parent = 'Note' and fieldname = 'title'"
	before = frappe.db.sql(label)[0][0]
	written(("update tabDocField set label = 'Headline' where parent = 'Note' and fieldname = 'title'",))
	try:
		assert on_a_replica(lambda: frappe.db.sql(label)[0][0]) == before
		next_request()
		assert on_a_replica(lambda: frappe.get_meta("Note").get_label("title")) == "Headline"
		next_request()
		assert frappe.get_meta("Note").get_label("title") == "Headline"
		assert form_meta.get_meta("Note").get_field("title").label == "Headline"
	finally:
		written((f"update tabDocField set label = '{before}' where parent = 'Note' and fieldname = 'title'",))
