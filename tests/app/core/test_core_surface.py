# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Every name of core that this app touches is there, with the parameters that it is used with.

Where one of these fails on a new Frappe, the file that uses the name needs to be looked at.
"""

import importlib
import inspect

import frappe
import pytest

from read_replica import read_only
from read_replica.database.scope_cache import LOCAL_CACHES

from ..conftest import REPLICAS, server_id

DATABASE = "frappe.database.database.Database"
REDIS = "frappe.utils.redis_wrapper.RedisWrapper"
QUEUES = "frappe.utils.background_jobs"
JOB = "frappe.core.doctype.scheduled_job_type.scheduled_job_type.ScheduledJobType"

# The name, and the parameters that are passed to it or that a replacement of it takes.
USED = {
	"frappe.connect_replica": (),
	"frappe.read_only": (),
	"frappe.boot.get_bootinfo": (),
	"frappe.init": ("site", "sites_path"),
	"frappe.get_installed_apps": (),
	"frappe.logger": ("module", "allow_site"),
	"frappe.only_for": ("roles",),
	"frappe.commands.get_site": ("context",),
	"frappe.desk.doctype.notification_settings.notification_settings.is_notifications_enabled": ("user",),
	"frappe.sendmail": (
		"recipients",
		"subject",
		"message",
		"reference_doctype",
		"reference_name",
		"add_unsubscribe_link",
	),
	"frappe.translate.get_all_translations": ("lang",),
	"frappe.utils.user.get_system_managers": ("only_name",),
	"frappe.installer.update_site_config": ("key", "value", "validate", "site_config_path"),
	"frappe.utils.now_datetime": (),
	"frappe.utils.get_datetime": (),
	f"{REDIS}.make_key": ("key", "user", "shared"),
	f"{REDIS}.set_value": ("key", "val", "user", "expires_in_sec", "shared"),
	f"{REDIS}.get_value": ("key", "generator", "user", "expires", "shared"),
	f"{REDIS}.hset": ("name", "key", "value", "shared"),
	f"{REDIS}.hget": ("name", "key", "generator", "shared"),
	f"{DATABASE}.connect": (),
	f"{DATABASE}.close": (),
	f"{DATABASE}.sql": ("query", "values"),
	f"{DATABASE}.sql_ddl": ("query",),
	f"{DATABASE}.begin": ("read_only",),
	f"{DATABASE}.commit": (),
	f"{DATABASE}.rollback": ("save_point",),
	f"{DATABASE}.savepoint": ("save_point",),
	f"{DATABASE}.release_savepoint": ("save_point",),
	f"{DATABASE}.check_transaction_status": ("query",),
	f"{DATABASE}.table_exists": ("doctype", "cached"),
	f"{DATABASE}.use": ("db_name",),
	f"{JOB}.enqueue": ("force",),
	f"{JOB}.execute": (),
	f"{JOB}.log_status": ("status",),
	f"{JOB}.get_next_execution": (),
	f"{JOB}.get_queue_name": (),
	f"{QUEUES}.get_queues_timeout": (),
	f"{QUEUES}.get_queue_list": (),
	f"{QUEUES}.get_redis_conn": (),
	f"{QUEUES}.get_queue": ("qtype",),
	f"{QUEUES}.generate_qname": ("qtype",),
	f"{QUEUES}.create_job_id": ("job_id",),
	f"{QUEUES}.enqueue": ("method", "queue", "timeout", "job_id"),
	"frappe.utils.get_bench_id": (),
	"frappe.utils.scheduler.get_scheduler_tick": (),
	"frappe.utils.scheduler.is_dormant": (),
	"frappe.get_file_json": ("path",),
}


def find(path: str):
	parts = path.split(".")
	for end in range(len(parts), 0, -1):
		try:
			found = importlib.import_module(".".join(parts[:end]))
		except ModuleNotFoundError:
			continue
		for part in parts[end:]:
			found = getattr(found, part)
		return found
	raise ModuleNotFoundError(path)


@pytest.mark.parametrize("path", USED)
def test_a_function_of_core_takes_the_parameters_that_we_use(path):
	parameters = inspect.signature(find(path)).parameters.values()
	takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
	missing = set(USED[path]) - {p.name for p in parameters}
	assert not missing or takes_any, f"{path} no longer takes {', '.join(missing)}"
	required = {
		p.name
		for p in parameters
		if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
	}
	# *values of use() and the like are named here; what core has come to require beyond them is not.
	assert required - {"self"} <= set(USED[path]), f"{path} now requires {required}"


def test_the_order_of_the_parameters_that_we_pass_by_position_is_the_same():
	def names(path: str) -> list[str]:
		return [name for name in inspect.signature(find(path)).parameters if name != "self"]

	assert names(f"{REDIS}.set_value")[:3] == ["key", "val", "user"]
	assert names(f"{REDIS}.get_value")[:2] == ["key", "generator"]
	assert names(f"{REDIS}.hset")[:3] == ["name", "key", "value"]
	assert names(f"{REDIS}.hget")[:3] == ["name", "key", "generator"]
	assert names(f"{DATABASE}.sql")[0] == "query"


def test_core_s_read_only_looks_connect_replica_up_when_it_is_called_and_knows_its_function():
	@frappe.read_only()
	def decorated():
		"""Decorated by core."""

	code = decorated.__code__
	assert {"connect_replica", "primary_db", "db", "close"} <= set(code.co_names)
	assert "fn" in code.co_freevars
	assert code.co_varnames[:2] == ("args", "kwargs")


def test_the_client_cache_takes_what_its_replacement_takes():
	wrapper = importlib.import_module("frappe.utils.redis_wrapper")
	if not hasattr(wrapper, "ClientCache"):
		pytest.skip("no client cache in this version")
	assert list(inspect.signature(wrapper.ClientCache.set_value).parameters)[:3] == ["self", "key", "val"]
	parameters = inspect.signature(wrapper.ClientCache.get_value).parameters
	assert list(parameters)[:2] == ["self", "key"]
	assert parameters["generator"].kind is inspect.Parameter.KEYWORD_ONLY


def test_the_wrapper_of_site_cache_asks_the_dictionary_that_is_there_and_knows_its_function():
	caching = importlib.import_module("frappe.utils.caching")

	@caching.site_cache(ttl=60, maxsize=1)
	def decorated():
		"""Kept in the process by core."""

	code = decorated.__code__
	assert "_SITE_CACHE" in code.co_names
	assert "func" in code.co_freevars
	assert code.co_varnames[:2] == ("args", "kwargs")
	assert decorated.__wrapped__.maxsize == 1
	assert "frappe.controllers.setdefault(frappe.local.site, {})" in inspect.getsource(
		find("frappe.model.base_document")
	)


def test_the_page_of_the_desk_looks_its_maker_up_when_it_is_loaded_and_keeps_what_that_makes_for_the_user():
	source = inspect.getsource(find("frappe.sessions.get"))
	assert "from frappe.boot import get_bootinfo" in source
	assert 'hset("bootinfo", frappe.session.user, bootinfo)' in source


def test_a_database_object_has_the_state_that_a_scope_shares_or_replaces(site):
	server_id()
	for name in ("_conn", "_cursor", "transaction_writes", "value_cache", "user", "password", "host", "port"):
		assert hasattr(frappe.db, name), name
	for name in ("get_connection", "get_connection_settings", "is_read_only_mode_error"):
		assert callable(getattr(frappe.db, name, None)), name


def test_a_request_has_the_caches_that_a_scope_cleans_up(site):
	# Not each of them is in each version; those that core clears must be among ours.
	source = inspect.getsource(frappe.init)
	cleared = {"document_cache", "meta_cache", "role_permissions", "request_cache", "new_doc_templates"}
	assert {name for name in cleared if f"local.{name} = " in source} <= {*LOCAL_CACHES, "request_cache"}
	assert hasattr(frappe.local, "cache")


def test_the_hooks_are_called_where_we_need_them():
	app = inspect.getsource(importlib.import_module("frappe.app"))
	assert app.index("HTTPRequest()") < app.index('get_hooks("before_request")')
	assert 'get_hooks("after_request")' in app
	jobs = inspect.getsource(importlib.import_module("frappe.utils.background_jobs"))
	assert 'get_hooks("before_job")' in jobs and 'get_hooks("after_job")' in jobs


def test_where_a_name_is_gone_the_site_runs_on_its_primary_and_says_so(site, monkeypatch):
	from read_replica import site as routing
	from read_replica.core import patching

	@read_only
	def report():
		return server_id()

	assert report() in REPLICAS
	patching.restore_core()
	with monkeypatch.context() as patch:
		patch.delattr(frappe, "connect_replica")
		routing.forget()
		assert report() == 1
		assert "connect_replica" in routing.routing_of_site().problem
		assert {owner.__name__ for owner, *_ in patching._replaced} == {QUEUES}, (
			"all that routing needs, or nothing"
		)
	routing.forget()
	assert report() in REPLICAS


def test_a_scheduled_job_tells_of_its_beginning_and_its_end_right_before_and_after_its_method():
	source = inspect.getsource(find(f"{JOB}.execute"))
	start, method = source.index('log_status("Start")'), source.index("frappe.get_attr(self.method)()")
	assert start < method < source.index("frappe.db.commit()") < source.index('log_status("Complete")')
	assert isinstance(find(JOB).rq_job_id, property)


def test_rq_tells_of_its_workers_and_jobs_what_we_ask():
	from rq import Queue, Worker
	from rq.job import Job

	assert {"connection"} <= set(inspect.signature(Worker.all).parameters)
	assert callable(Worker.queue_names) and callable(Worker.register_birth)
	assert Job.key_for("of_the_test") in (b"rq:job:of_the_test", "rq:job:of_the_test")
	assert Queue.redis_queues_keys == "rq:queues"
	assert Queue.redis_queue_namespace_prefix == "rq:queue:"
	assert {"meta", "kwargs", "timeout"} <= set(inspect.signature(Queue.enqueue_call).parameters)
