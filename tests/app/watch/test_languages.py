# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What was found in English is shown to each user in his own language; the command line and JSON stay English."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import frappe
import pytest

from read_replica.config.keys import names_and_passwords
from read_replica.database.host import shared_of_site
from read_replica.deploy.doctor import Finding
from read_replica.deploy.reports import DoctorReport
from read_replica.engine.sentence import Sentence
from read_replica.watch import examination
from support import strings
from support.bench import SITE
from support.browser import Browser

from ..conftest import forget_examination, full_form, in_another_worker, until

MONITOR = "/api/method/read_replica.api.replica_monitor"
PASSWORD = "of-The-tests-4711"
LANGUAGES = ("en", "de", "hi")


@pytest.fixture(scope="module")
def translations() -> dict[str, dict[str, str]]:
	return {"en": {}} | {language: strings.translated(language) for language in LANGUAGES[1:]}


@pytest.fixture
def users(configured) -> Iterator[dict[str, Browser]]:
	"""The browser of a System Manager for each language."""
	browsers = {}
	for language in LANGUAGES:
		in_another_worker(new_user, f"{language}@example.com", language)
		browsers[language] = Browser(SITE)
		browsers[language].log_in(f"{language}@example.com", PASSWORD)
	yield browsers
	in_another_worker(forget_examination)
	for browser in browsers.values():
		browser.close()


def new_user(email: str, language: str) -> None:
	if not frappe.db.exists("User", email):
		user = {"doctype": "User", "email": email, "first_name": email, "send_welcome_email": 0}
		user |= {"new_password": PASSWORD, "roles": [{"role": "System Manager"}], "language": language}
		frappe.get_doc(user).insert(ignore_permissions=True)
		frappe.db.commit()


def monitor_of(browser: Browser) -> dict:
	response = browser.request(MONITOR)
	assert response.status_code == 200, response.text
	return response.json["message"]


def checks_of(browser: Browser) -> dict[str, dict]:
	return {one["id"]: one for one in monitor_of(browser)["examination"]["checks"]}


def test_a_finding_made_in_english_is_shown_to_each_user_in_his_language(users, translations):
	assert users["en"].ask("read_replica.api.examine_servers").status_code == 200
	english = checks_of(users["en"])
	found = re.fullmatch(r"binlog_format is (\w+) on the primary", english["binlog-format"]["seen"])
	for language, seen in (
		("de", f"binlog_format ist {found[1]} auf dem Primärserver"),
		("hi", f"binlog_format प्राथमिक सर्वर पर {found[1]} है"),
	):
		told = checks_of(users[language])
		assert told["binlog-format"]["seen"] == seen
		assert told.keys() == english.keys()
		for id, check in told.items():
			for part in ("expected", "fix"):
				text = english[id][part]
				assert check[part] == translations[language].get(text, text)
				assert check[part] != text or strings.COMMAND_ALONE.fullmatch(text)
			assert check["seen"] != english[id]["seen"], check


def report_of(*seen: str) -> DoctorReport:
	findings = [
		Finding(
			f"check-{place}", "warn", text, "the primary writes a binary log", "mend it", "docs/doctor.md"
		)
		for place, text in enumerate(seen)
	]
	return DoctorReport(SITE, datetime.now(timezone.utc), [], findings, [], 1)


def kept(make: Callable[[str, str], DoctorReport]) -> str:
	"""Keeps a report on the site's user and its password, and returns what Redis has of it."""

	def work() -> str:
		conf = frappe.local.conf
		examination.keep(make(conf.db_name, conf.db_password), names_and_passwords(conf))
		return shared_of_site().kept_text(examination.NAME)

	return in_another_worker(work)


def test_names_and_passwords_are_left_out_in_each_language_wherever_they_and_their_context_stand(users):
	def make(name: str, password: str) -> DoctorReport:
		denied = Sentence("error {0}: {1}", 1045, f"Access denied for user '{name}'@'10.0.0.2'")
		return report_of(
			Sentence("{0} cannot be asked: {1}", "replica01", denied),
			Sentence("{0} is read by user {1}", "replica01", name),
			Sentence("{0} refuses '{1}'", "replica01", password),
			Sentence("it is user {0}{1}", name[:3], name[3:]),
			Sentence.joined("; ", [Sentence("{0} lacks {1}", "replica01", f"`{name}`"), denied]),
		)

	config = in_another_worker(lambda: dict(frappe.local.conf))
	in_redis = kept(make)
	assert config["db_password"] not in in_redis and config["db_name"] not in in_redis.replace(SITE, "")
	seen = {
		language: [one["seen"] for one in monitor_of(browser)["examination"]["checks"]]
		for language, browser in users.items()
	}
	denied = "Access denied for user '…'@'10.0.0.2'"
	assert seen["en"] == [
		f"replica01 cannot be asked: error 1045: {denied}",
		"replica01 is read by user …",
		"replica01 refuses '…'",
		"it is user …",
		f"replica01 lacks `…`; error 1045: {denied}",
	]
	assert seen["de"] == [
		f"replica01 kann nicht gefragt werden: Fehler 1045: {denied}",
		*seen["en"][1:4],
		f"auf replica01 fehlen `…`; Fehler 1045: {denied}",
	]
	assert seen["hi"][0] == f"replica01 से पूछा नहीं जा सकता: त्रुटि 1045: {denied}"


@pytest.mark.parametrize("sentence", [None, [], ["{0} lacks {1}", "replica01"], {"template": "{0}"}, 5])
def test_what_another_version_of_this_app_has_kept_is_shown_in_english(users, sentence):
	def keep() -> None:
		text = shared_of_site().kept_text(examination.NAME)
		found = json.loads(text)
		for one in found["findings"]:
			one.pop("sentence")
			if sentence is not None:
				one["sentence"] = sentence
		shared_of_site().keep_text(examination.NAME, json.dumps(found), 60)

	kept(lambda name, password: report_of(Sentence("{0} lacks {1}", "replica01", "tabItem")))
	in_another_worker(keep)
	[check] = checks_of(users["de"]).values()
	assert check["seen"] == "replica01 lacks tabItem"
	assert check["expected"] == "der Primärserver schreibt ein Binärlog"


def test_problems_with_jobs_are_in_the_language_of_who_looks_and_english_at_the_command_line(
	users, configured
):
	configured.configure(scheduler_config=["nothing"], scheduler_takeover_after="soon")
	said = {
		language: "\n".join(browser.call("read_replica.api.job_problems"))
		for language, browser in users.items()
	}
	assert (
		"scheduler_config of site_config.json: 'nothing' is not a rule: it is no object. Write {"
		in said["en"]
	)
	assert (
		"scheduler_config in site_config.json: 'nothing' ist keine Regel: es ist kein Objekt. Zu sch"
		in said["de"]
	)
	assert "site_config.json में scheduler_config: 'nothing' कोई नियम नहीं है: यह ऑब्जेक्ट नहीं है। {" in said["hi"]
	assert "scheduler_takeover_after: 'soon' ist keine Zahl von Sekunden." in said["de"]
	english = json.loads(configured.run("--site", SITE, "read-replica", "status", "--json").stdout)[
		"problems"
	]
	assert [line for line in said["en"].splitlines() if line.startswith("scheduler_")] == [
		line for line in english if line.startswith("scheduler_")
	]
	lines = {language: len(text.splitlines()) for language, text in said.items()}
	assert lines["en"] == lines["de"] == lines["hi"]
	assert not set(said["en"].splitlines()) & {*said["de"].splitlines(), *said["hi"].splitlines()}


def test_a_wrong_configuration_is_told_in_the_language_of_who_looks(users, configured, servers):
	configured.configure(read_replica=full_form(servers, on_write="replica"))
	german = "read_replica.on_write: on_write muss eines von 'primary', 'error' sein, nicht 'replica'. berichtigen, oder"
	english = (
		"read_replica.on_write: on_write must be one of 'primary', 'error', not 'replica'. correct it, or"
	)
	assert monitor_of(users["en"])["routing_problem"].startswith(english)
	assert monitor_of(users["de"])["routing_problem"].startswith(german)
	assert users["de"].call("read_replica.api.settings_overview")["routing_problem"].startswith(german)
	refused = users["de"].ask("read_replica.api.examine_servers")
	assert refused.status_code == 417 and "muss eines von" in json.loads(refused.json["_server_messages"])[0]
	refused = users["de"].ask("read_replica.api.test_connection", replica="replica01")
	assert refused.status_code == 417 and "muss eines von" in json.loads(refused.json["_server_messages"])[0]
	assert english in " ".join(configured.bench("--site", SITE, "read-replica", "status").split())


def test_why_a_replica_is_down_is_told_in_the_language_of_who_looks(users, servers):
	def error_of(language: str) -> str | None:
		return next(
			one["error"] for one in monitor_of(users[language])["replicas"] if one["name"] == "replica02"
		)

	until(lambda: error_of("de") is None)
	servers.replicas[1].freeze()
	try:
		until(lambda: error_of("de") == "keine Antwort")
	finally:
		servers.replicas[1].thaw()
	until(lambda: error_of("de") is None)
