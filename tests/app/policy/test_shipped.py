# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The shipped list: each method answers from a replica as from the primary, and writes nothing.

A site of its own has those of ERPNext, HRMS and CRM that the bench has. The requests are real.
"""

import importlib.util
import inspect
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import frappe
import pytest
from werkzeug.test import TestResponse

from read_replica.database.host import shared_of_site
from read_replica.policy.shipped import NEVER, READS, REMEMBERS_NO_WRITES, SUBJECTS
from read_replica.watch.freshness_header import HEADER
from support.bench import Sites
from support.browser import Browser
from support.frappe_request import connected
from support.servers import Cluster, MariaDB

from ..conftest import as_after_an_hour, full_form, in_another_worker
from . import desk_page, documents
from .cases import CASES, Case

SITE = "shipped.test"
VERSION = int(frappe.__version__.split(".")[0])
APPS = [app for app in documents.ROWS if importlib.util.find_spec(app)]
CASES_HERE = [case for case in CASES if case.app in APPS and VERSION in case.versions]
ROUTED = READS | REMEMBERS_NO_WRITES

# Of core's functions that are decorated already.
DECORATED = (
	"frappe.desk.reportview.",
	"frappe.desk.notifications.",
	"frappe.desk.desktop.",
	"frappe.desk.query_report.",
)
# The noise of an answer that says nothing.
EMPTY = (None, "", [], {}, "empty", False)


def to_case(case: Case) -> str:
	return case.name


@pytest.fixture(scope="module")
def site(sites: Sites, servers: Cluster) -> Iterator[Sites]:
	"""A site with all apps of the bench and with documents for the cases; nothing is routed yet."""
	names = sites.path / "apps.txt"
	before = names.read_text()
	names.write_text("\n".join((*APPS, "read_replica", "sample_app")) + "\n")
	sites.new_site(SITE)
	desk_page.make_assets(sites)
	for app in (*APPS[1:], "read_replica", "sample_app"):
		sites.bench("--site", SITE, "install-app", app, timeout=900)
	in_another_worker(documents.make, APPS, site=SITE)
	servers.catch_up()
	yield sites
	names.write_text(before)


def new_reader() -> Browser:
	"""A browser without warm caches: all that a method reads, it reads from the database."""
	reader = Browser(SITE)
	reader.log_in(documents.READER, documents.PASSWORD)
	# The first page of a session notes a key in it, and the first request after this when it was used.
	reader.request(desk_page.PATH)
	in_another_worker(frappe.clear_cache, site=SITE)
	reader.call("frappe.ping")
	return reader


@pytest.fixture(scope="module")
def from_primary(site: Sites, servers: Cluster) -> dict[Case, tuple[TestResponse, bool]]:
	"""What the primary answers to all cases on a site on which nothing is routed, and whether that has written.

	A form notes who has seen it the first time alone: what a second call does would prove nothing.
	"""
	reader = new_reader()
	answers = {case: ask(reader, case, servers.primary) for case in CASES_HERE}
	reader.close()
	return answers


@pytest.fixture(scope="module")
def reader(from_primary: dict, site: Sites, servers: Cluster) -> Iterator[Browser]:
	"""The browser of the same user, on a site with replicas."""
	site.configure(SITE, read_replica=full_form(servers))
	reader = new_reader()
	servers.catch_up()
	in_another_worker(as_after_an_hour, site=SITE)
	yield reader
	reader.close()


def ask(reader: Browser, case: Case, primary: MariaDB) -> tuple[TestResponse, bool]:
	"""Returns the answer, and whether the primary has committed something for it, or after it."""
	before = committed(primary)
	if case.path:
		answer = reader.request(case.path, query_string=case.arguments)
	else:
		answer = reader.ask(case.method, None, **case.arguments)
	return answer, committed(primary) != before


def told_by(answer: TestResponse) -> dict:
	"""What an answer says, whether it is JSON or the page that loads the desk."""
	return answer.json if answer.is_json else desk_page.of_the_site(desk_page.boot_in(answer.text))


def committed(server: MariaDB) -> str:
	"""How far the server has come in its own transactions: what is written moves it."""
	return server.query("select @@gtid_binlog_pos")[0][0]


def is_a_writer(name: str) -> bool:
	"""Whether the method was caught writing, for whatever subject if the name has none."""
	return any(f"{writer}(".startswith(f"{name}(") for writer in shared_of_site().load_writers())


@pytest.mark.parametrize("case", CASES_HERE, ids=to_case)
def test_a_shipped_method_answers_from_a_replica_as_from_the_primary_and_writes_nothing(
	case, from_primary, reader, servers
):
	expected, primary_wrote = from_primary[case]
	assert expected.status_code == 200, expected.text
	assert any(part not in EMPTY for part in told_by(expected).values()), (
		"the case finds nothing, and so proves nothing"
	)
	answer, wrote = ask(reader, case, servers.primary)
	assert answer.status_code == 200, answer.text
	assert answer.headers[HEADER].startswith("server=replica")
	assert told_by(answer) == told_by(expected)
	assert {primary_wrote, wrote} == {case.name in REMEMBERS_NO_WRITES}
	# Those that write each time go on as well.
	assert not in_another_worker(is_a_writer, case.name, site=SITE)


def test_what_is_written_after_the_answer_is_seen_as_well(reader, servers):
	"""The form of a ToDo notes who has seen it: Frappe 16 does so when the answer is on its way."""
	form = Case("frappe.desk.form.load.getdoc", {"doctype": "ToDo", "name": documents.TODOS[1]})
	answer, wrote = ask(reader, form, servers.primary)
	assert answer.status_code == 200, answer.text
	assert wrote


def test_each_shipped_method_is_called_by_a_case():
	assert {case.name for case in CASES} == ROUTED.keys()


def test_no_method_is_shipped_as_read_and_as_never_read():
	assert not READS.keys() & REMEMBERS_NO_WRITES.keys()
	assert not [name for name in ROUTED for glob in NEVER if fnmatchcase(name, glob)]


def test_each_entry_has_a_sentence_as_its_reason():
	for name, reason in (ROUTED | NEVER).items():
		assert reason[0].isupper() and reason.endswith("."), name


def functions(names: Any) -> Iterator[tuple[str, Any]]:
	"""The whitelisted functions among these that this bench has."""
	for name in names:
		method = name.partition("(")[0]
		if method.partition(".")[0] not in APPS:
			continue
		try:
			yield name, frappe.get_attr(method)
		except (AttributeError, ImportError, frappe.AppNotInstalledError):
			continue


def test_a_shipped_method_exists_on_the_versions_of_its_cases_alone_and_is_whitelisted(site):
	meant = {case.name for case in CASES_HERE if not case.path}
	others = {case.name for case in CASES if case.app in APPS} - {case.name for case in CASES_HERE}
	with connected(SITE):
		here = dict(functions(ROUTED))
		assert meant <= here.keys()
		assert not others & here.keys()
		for function in here.values():
			frappe.is_whitelisted(function)


def test_a_subject_is_an_argument_of_its_method(site):
	known = {name.partition("(")[0] for name in ROUTED}
	assert [name for name in SUBJECTS if name not in known and not name.startswith(DECORATED)] == []
	with connected(SITE):
		checked = 0
		for name, function in functions(SUBJECTS):
			parameters = inspect.signature(inspect.unwrap(function)).parameters
			for subject in SUBJECTS[name]:
				# Core's lists and exports take their arguments from the request itself.
				if parameters and not any(one.kind == one.VAR_KEYWORD for one in parameters.values()):
					assert subject.partition(".")[0] in parameters, name
					checked += 1
		assert checked > 20
