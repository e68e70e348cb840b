# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Each System Manager is told of an outage in his own language, though a job that tells has none."""

import email
import email.policy
from collections.abc import Iterator

import frappe
import pytest

from read_replica.engine.sentence import Sentence
from read_replica.jobs import servers as job_servers
from read_replica.watch import languages, notices, outages
from read_replica.watch.outages import Look, Outage
from support.bench import SITE

from ..conftest import CLERK, in_another_worker
from ..jobs.test_jobs import HOURLY, rule
from ..jobs.test_scheduled_runs import hourly
from .test_notices import OUTAGE, built, quiet, row_of, told

__all__ = ["built", "hourly", "quiet"]

# A user for each, by the language that his desk has; the last two are none.
READERS = {
	"german@example.com": "de",
	"austrian@example.com": "de-AT",
	"hindi@example.com": "hi",
	"quenya@example.com": "qya",
	"path@example.com": "../../../etc/passwd",
}
GERMAN, AUSTRIAN, HINDI, QUENYA, PATH = READERS


@pytest.fixture
def readers(quiet) -> Iterator[None]:
	"""System Managers of several languages, on a site whose own is German."""
	site_language = frappe.db.get_single_value("System Settings", "language")
	for user, language in READERS.items():
		if not frappe.db.exists("User", user):
			values = {"doctype": "User", "email": user, "first_name": user, "send_welcome_email": 0}
			frappe.get_doc(values | {"roles": [{"role": "System Manager"}]}).insert()
		frappe.db.set_value("User", user, {"language": language, "enabled": 1})
	frappe.db.set_single_value("System Settings", "language", "de")
	frappe.db.set_value("User", CLERK, "language", None)
	frappe.db.set_value("User", "Administrator", "language", "en")
	frappe.db.commit()
	yield
	frappe.db.rollback()
	for user in READERS:
		frappe.db.set_value("User", user, "enabled", 0)
	frappe.db.set_value("User", "Administrator", "language", None)
	frappe.db.set_single_value("System Settings", "language", site_language)
	frappe.db.commit()


def notices_of(user: str, about: str = "") -> list[frappe._dict]:
	frappe.db.rollback()
	filters = {"for_user": user, "subject": ("like", f"%{about}%")}
	return frappe.get_all("Notification Log", filters, ["subject", "email_content"])


def subjects(user: str, about: str) -> list[str]:
	return [one.subject for one in notices_of(user, about)]


def found(monkeypatch, *sentences: str, details: str = "") -> None:
	"""The job finds one outage for each sentence."""
	wrong = [Outage(f"job{place}", sentence, details) for place, sentence in enumerate(sentences)]
	look = Look(wrong, lambda subject: Sentence("Job {0} is not overdue any more", subject))
	monkeypatch.setattr(outages, "looks", lambda: {"Job Overdue": lambda: look})


def test_each_is_told_in_the_language_of_his_desk_and_the_row_is_in_that_of_the_site(readers, servers):
	replica = servers.replicas[0]
	replica.kill()
	try:
		assert told("replica01", GERMAN) == ["Replikat replica01 ist ausgefallen"]
		for user in (AUSTRIAN, CLERK):
			assert subjects(user, "replica01") == ["Replikat replica01 ist ausgefallen"], user
		assert subjects("Administrator", "replica01") == ["Replica replica01 is down"]
		assert subjects(HINDI, "replica01") == ["रेप्लिका replica01 बंद है"]
		[german] = notices_of(GERMAN, "replica01")
		assert f"{replica.host}:{replica.port}: " in german.email_content
		assert row_of("Replica Down").summary == "Replikat replica01 ist ausgefallen"
	finally:
		replica.start()
		servers.catch_up()


def test_details_that_hold_sentences_are_said_too(readers, hourly):
	rule(HOURLY, "secondary")
	job_servers.note([], {"secondary"})
	in_another_worker(notices.tell)
	[german] = notices_of(GERMAN, "secondary")
	assert german.subject == "Job-Server secondary ist fort"
	assert f"Geplante Jobs: {HOURLY}" in german.email_content
	assert "no server runs it" not in german.email_content


def test_what_is_over_is_told_in_the_language_of_his_desk(readers, monkeypatch):
	found(monkeypatch, Sentence("Job {0} is overdue", "job0"), Sentence("Job {0} is overdue", "job1"))
	assert told("job0", GERMAN) == ["Job job0 ist überfällig, und 1 weitere"]
	found(monkeypatch)
	assert told("job0", GERMAN) == ["Job job0 ist nicht mehr überfällig, und 1 weitere"]


@pytest.mark.parametrize("user", [QUENYA, PATH])
def test_whose_language_has_no_translations_is_told_in_english(readers, monkeypatch, user):
	found(monkeypatch, Sentence("Job {0} is overdue", "job0"))
	assert told("job0", user) == ["Job job0 is overdue"]
	assert told("job", user) == []


def test_a_language_that_cannot_be_looked_up_does_not_keep_a_notice_back(readers, monkeypatch):
	def fails(*_: object, **__: object) -> None:
		raise RuntimeError("broken by a test")

	for place, name in enumerate(("get_all_translations", "get_system_managers")):
		found(monkeypatch, *[Sentence("Job {0} is overdue", f"job{one}") for one in range(place + 1)])
		with monkeypatch.context() as broken:
			broken.setattr(languages, name, fails)
			assert told("job", GERMAN) == [f"Job job{place} is overdue"], name
		assert told("job", GERMAN) == []
	assert {one.summary for one in frappe.get_all(OUTAGE, fields=["summary"])} == {
		"Job job0 is overdue",
		"Job job1 is overdue",
	}


def test_nothing_is_looked_up_in_the_transaction_that_tells(readers, monkeypatch):
	"""Core passes over an error of the database as it loads translations: what it had rolled back would be missing."""
	during = []
	note = notices._note_and_notify

	def watched(*given: object) -> object:
		with monkeypatch.context() as watching:
			for name in ("get_all_translations", "get_user_translations"):
				watching.setattr(f"frappe.translate.{name}", lambda *_, name=name: during.append(name) or {})
			# The file has a name of its own for it.
			watching.setattr(languages, "get_all_translations", frappe.translate.get_all_translations)
			return note(*given)

	monkeypatch.setattr(notices, "_note_and_notify", watched)
	monkeypatch.setattr(notices, "_mail", lambda *_: None)
	found(monkeypatch, Sentence("Job {0} is overdue", "job0"), Sentence("Job {0} is overdue", "job1"))
	in_another_worker(lambda: frappe.clear_cache())
	assert told("job0", GERMAN) == ["Job job0 ist überfällig, und 1 weitere"]
	assert during == []


def test_names_in_sentences_are_shown_as_text_in_each_language(readers, monkeypatch):
	found(monkeypatch, Sentence("Job {0} is overdue", "<img src=x>"), details="<b>{0}</b>")
	assert told("img", GERMAN) == ["Job &lt;img src=x&gt; ist überfällig"]
	for user in (GERMAN, HINDI, CLERK, "Administrator"):
		[notice] = notices_of(user)
		assert "<img" not in notice.subject and "<img" not in notice.email_content
		assert "&lt;b&gt;{0}&lt;/b&gt;" in notice.email_content


def mails() -> dict[frozenset[str], email.message.EmailMessage]:
	"""The mails that wait, by their recipients."""
	frappe.db.rollback()
	waiting = {}
	for mail in frappe.get_all("Email Queue", ["name", "message"]):
		recipients = frappe.get_all("Email Queue Recipient", {"parent": mail.name}, pluck="recipient")
		waiting[frozenset(recipients)] = email.message_from_string(mail.message, policy=email.policy.default)
	return waiting


def send_mails(quiet) -> None:
	frappe.db.set_single_value("Read Replica Settings", "send_notices_by_mail", 1)
	frappe.db.commit()
	quiet.configure(mail_server="127.0.0.1", auto_email_id="out@example.com", mail_password="x")


def test_each_mail_is_in_the_language_of_its_recipients_and_each_gets_one(quiet, built, readers, monkeypatch):
	send_mails(quiet)
	found(monkeypatch, Sentence("Job {0} is overdue", "job0"), Sentence("Job {0} is overdue", "job1"))
	in_another_worker(notices.tell)
	queued = mails()
	everybody = [recipient for recipients in queued for recipient in recipients]
	assert sorted(everybody) == sorted(set(everybody)) and set(READERS) | {CLERK} <= set(everybody)
	of = {user: message for recipients, message in queued.items() for user in recipients}
	assert of[GERMAN] is of[CLERK] and of[GERMAN] is not of[HINDI]
	for user in (GERMAN, AUSTRIAN):
		assert of[user]["Subject"] == f"[{SITE}] Job job0 ist überfällig, und 1 weitere"
		assert "Job job1 ist überfällig." in of[user].get_body(("html",)).get_content()
	assert of[QUENYA]["Subject"] == f"[{SITE}] Job job0 is overdue, and 1 more"
	in_another_worker(notices.tell)
	assert len(mails()) == len(queued)


def test_a_mail_that_cannot_be_queued_keeps_no_other_back_and_none_is_queued_twice(
	quiet, built, readers, monkeypatch
):
	send_mails(quiet)
	sendmail = frappe.sendmail

	def refuses_hindi(recipients: list[str], **given: object) -> None:
		if HINDI in recipients:
			raise RuntimeError("broken by a test")
		sendmail(recipients=recipients, **given)

	monkeypatch.setattr(frappe, "sendmail", refuses_hindi)
	found(monkeypatch, Sentence("Job {0} is overdue", "job0"))
	in_another_worker(notices.tell)
	everybody = [recipient for recipients in mails() for recipient in recipients]
	assert set(READERS) - {HINDI} | {CLERK} <= set(everybody) and HINDI not in everybody
	assert len(everybody) == len(set(everybody))
	in_another_worker(notices.tell)
	assert sorted(recipient for recipients in mails() for recipient in recipients) == sorted(everybody)
