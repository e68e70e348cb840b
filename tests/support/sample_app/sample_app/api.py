# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whitelisted methods, decorated in the ways that a custom app may."""

import frappe

from read_replica import primary, read_only


def server_id() -> int:
	return frappe.db.sql("select @@server_id")[0][0]


def raise_if_asked(response, request):
	"""A custom app's after_request hook that is broken."""
	if request.headers.get("X-Raise-After-Request"):
		raise RuntimeError("a broken after_request hook")


def authenticate():
	"""A custom app's auth hook, with tokens of its own; it stands after read_replica's."""
	kind, _, token = (frappe.get_request_header("Authorization") or "").partition(" ")
	if kind == "Bearer" and token.startswith("sample:"):
		form = frappe.local.form_dict
		frappe.set_user(token.removeprefix("sample:"))
		frappe.local.form_dict = form


@frappe.whitelist()
@read_only
def decorated():
	return server_id()


@frappe.whitelist()
@read_only(consistency="eventual")
def decorated_as_eventual():
	return server_id()


@frappe.whitelist()
@frappe.read_only()
def decorated_by_core():
	return server_id()


@frappe.whitelist()
def undecorated():
	return server_id()


@frappe.whitelist()
def several_calls():
	"""The servers of three calls in one request, and of what comes after them."""
	return [decorated_by_core(), decorated(), decorated_by_core(), server_id()]


@frappe.whitelist()
@read_only
def with_arguments(name: str, limit: int = 3):
	return {"name": name, "limit": limit, "server": server_id()}


@frappe.whitelist()
@read_only
def writes_a_todo(description: str):
	before = server_id()
	frappe.get_doc({"doctype": "ToDo", "description": description}).insert()
	return [before, server_id()]


@frappe.whitelist()
def writes_after_the_response(description: str = ""):
	"""What core's getdoc does in v16; without a description, it writes nothing after all."""
	from frappe.database.utils import commit_after_response

	def write():
		if description:
			frappe.get_doc({"doctype": "ToDo", "description": description}).insert()

	commit_after_response(write)
	return server_id()


@frappe.whitelist()
def writes_when_asked(description: str = ""):
	"""What has only read for a long time, and writes one day."""
	server = server_id()
	if description:
		frappe.get_doc({"doctype": "ToDo", "description": description}).insert()
	return [server, server_id()]


@frappe.whitelist()
def writes_and_rolls_back():
	"""The savepoint is committed with the request, and is no write."""
	frappe.get_doc({"doctype": "ToDo", "description": "not kept"}).insert()
	frappe.db.rollback()
	frappe.db.savepoint("afterwards")


@frappe.whitelist()
def writes_and_fails():
	frappe.get_doc({"doctype": "ToDo", "description": "kept"}).insert()
	frappe.db.commit()
	frappe.throw("the real error")


@frappe.whitelist()
def reads_rows(number: int):
	return len(frappe.db.sql("select name from tabDocType limit %s", number))


@frappe.whitelist()
@read_only
def forgets_a_primary_block():
	"""Leaves a block open, as a generator that nobody finishes does."""
	frappe.local.forgotten_block = primary()
	frappe.local.forgotten_block.__enter__()
	return server_id()


@frappe.whitelist()
@read_only(on_write="error")
def may_not_write():
	frappe.db.set_value("ToDo", {"name": ("is", "set")}, "priority", "Low")


@frappe.whitelist()
@read_only
def logs_an_error():
	"""What a report does whose author catches errors."""
	try:
		raise ValueError("the real error")
	except ValueError:
		frappe.log_error("sample_app caught an error")
	return server_id()


@frappe.whitelist()
@read_only
def publishes_and_enqueues(key: str):
	frappe.publish_realtime("sample_event", {"key": key}, after_commit=True)
	frappe.enqueue("sample_app.jobs.note_servers", key=key, enqueue_after_commit=True)
	return server_id()


@frappe.whitelist()
def enqueues_a_look(key: str):
	frappe.enqueue("sample_app.jobs.looking_job", key=key)


@frappe.whitelist(allow_guest=True)
def saves_as_administrator():
	"""What an endpoint for visitors does."""
	frappe.set_user("Administrator")
	name = frappe.get_doc({"doctype": "ToDo", "description": "of a visitor"}).insert().name
	frappe.db.commit()
	return name


@frappe.whitelist(allow_guest=True)
@read_only
def todo_exists(name: str):
	return bool(frappe.db.exists("ToDo", name))


@frappe.whitelist(allow_guest=True)
@read_only(consistency="eventual")
def for_everybody():
	return server_id()


@frappe.whitelist(allow_guest=True)
@read_only
def for_a_visitor():
	return server_id()


@frappe.whitelist(allow_guest=True)
def for_everybody_as_administrator():
	"""What an endpoint for visitors does."""
	frappe.set_user("Administrator")
	return for_everybody()


@frappe.whitelist(allow_guest=True)
@read_only(on_unavailable="error")
def for_everybody_on_replicas_only():
	return server_id()


@frappe.whitelist()
def undecorated_that_calls_core():
	"""The servers of an undecorated method, and of a function that it calls which core decorates."""
	return [server_id(), decorated_by_core(), server_id()]


@frappe.whitelist()
def named_by_the_hook():
	return server_id()


@frappe.whitelist()
def writes_undecorated(description: str):
	before = server_id()
	frappe.get_doc({"doctype": "ToDo", "description": description}).insert()
	return [before, server_id()]
