# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""System Managers are told once of each outage, and once when it is over, whoever finds it first."""

import email
import email.policy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import frappe
import pytest

from read_replica.engine.health.monitor import SECONDS_A_VERDICT_HOLDS
from read_replica.jobs import scheduled_runs, servers
from read_replica.read_replica.doctype.read_replica_outage.read_replica_outage import ReadReplicaOutage
from read_replica.site import router_of_site
from read_replica.watch import notices, outage_rows, outages
from read_replica.watch.outages import Look, Outage
from support.bench import SITE
from support.frappe_request import connected
from support.trouble import standing_still
from support.waiting import until

from ..conftest import CLERK, full_form, in_another_worker
from ..jobs.test_jobs import HOURLY, rule, tick
from ..jobs.test_scheduled_runs import hourly
from .test_job_findings import minutes_pass, waiting
from .test_overdue import due_seconds_ago, each_minute, of_before

__all__ = ["each_minute", "hourly", "of_before"]

OUTAGE = "Read Replica Outage"


@pytest.fixture
def quiet(site):
	"""Nothing was told yet, and all that is wrong with jobs on a site of the tests is known."""
	forget()
	yield site
	frappe.db.rollback()
	forget()


def forget() -> None:
	for doctype in (OUTAGE, "Notification Log", "Email Queue", "Email Queue Recipient"):
		frappe.db.delete(doctype)
	frappe.db.set_single_value("Read Replica Settings", "send_notices_by_mail", 0)
	frappe.db.commit()


def told(about: str, user: str = CLERK) -> list[str]:
	"""What a user is told that was not told before, of those notices that speak of something."""
	in_another_worker(check_and_tell)
	return unread(about, user)


def unread(about: str, user: str = CLERK) -> list[str]:
	"""The same, of what was told already."""
	frappe.db.rollback()
	found = frappe.get_all(
		"Notification Log",
		{"for_user": user, "read": 0},
		["name", "subject", "type", "document_type", "document_name"],
		order_by="creation, subject",
	)
	for notice in found:
		assert (notice.type, notice.document_type) == ("Alert", OUTAGE)
		assert frappe.db.exists(OUTAGE, notice.document_name)
	frappe.db.sql("update `tabNotification Log` set `read` = 1 where for_user = %s", user)
	frappe.db.commit()
	return [notice.subject for notice in found if about in notice.subject]


def told_soon(about: str) -> list[str]:
	"""The same, once there is something: a replica that was left alone is asked again after a pause."""
	found: list[str] = []
	until(lambda: found.extend(told(about)) or found)
	return found


def check_and_tell() -> None:
	# Verdicts of some seconds ago count in a process that lives on.
	router_of_site().health.check_now()
	notices.tell()


def details() -> str:
	return " ".join(frappe.get_all("Notification Log", pluck="email_content"))


def row_of(kind: str) -> frappe._dict:
	frappe.db.rollback()
	[row] = frappe.get_all(OUTAGE, {"kind": kind}, ["*"])
	return row


def test_a_replica_that_is_down_is_told_once_and_once_when_it_is_back(quiet, servers):
	assert told("Replica") == []
	replica = servers.replicas[0]
	replica.kill()
	try:
		assert told("Replica") == ["Replica replica01 is down"]
		assert f"{replica.host}:{replica.port}" in details()
		row = row_of("Replica Down")
		assert row.told_at and not row.ended_at and replica.host not in row.summary
		assert told("Replica") == []
	finally:
		replica.start()
	servers.catch_up()
	assert told_soon("Replica") == ["Replica replica01 is back"]
	assert row_of("Replica Down").ended_at and not row_of("Replica Down").open_key
	assert told("Replica") == []
	replica.kill()
	try:
		assert told("Replica") == ["Replica replica01 is down"], "the next outage is another one"
	finally:
		replica.start()
		servers.catch_up()


def test_all_system_managers_are_told_and_nobody_else(quiet, servers):
	user = {"doctype": "User", "email": "reader@example.com", "first_name": "Reader", "send_welcome_email": 0}
	if not frappe.db.exists("User", "reader@example.com"):
		frappe.get_doc(user).insert()
		frappe.db.commit()
	servers.replicas[0].kill()
	try:
		assert told("Replica", CLERK) == told("Replica", "Administrator") == ["Replica replica01 is down"]
		assert told("Replica", "reader@example.com") == []
	finally:
		servers.replicas[0].start()
		servers.catch_up()


def test_a_replica_that_is_late_is_told_after_five_minutes_and_not_before(quiet, servers):
	quiet.configure(read_replica=full_form(servers, max_lag=0.5))
	in_another_worker(lags)
	with standing_still(servers):
		write_something()
		until(lambda: all(lag and lag > 1 for lag in in_another_worker(lags)))
		assert told("behind") == []
		assert len(frappe.get_all(OUTAGE, {"kind": "Replica Behind", "told_at": ("is", "not set")})) == 2
		minutes_later(3)
		assert told("behind") == []
		minutes_later(2)
		[sentence] = told("behind")
		assert sentence == "Replica replica01 has been more than 0.5 s behind for five minutes, and 1 more"
		assert told("behind") == []
	until(lambda: all(lag is not None and lag < 0.5 for lag in in_another_worker(lags)))
	assert told("caught up") == ["Replica replica01 has caught up, and 1 more"]


def test_one_that_was_late_for_a_moment_is_not_told(quiet, servers):
	quiet.configure(read_replica=full_form(servers, max_lag=0.5))
	in_another_worker(lags)
	with standing_still(servers):
		write_something()
		until(lambda: all(lag and lag > 1 for lag in in_another_worker(lags)))
		assert told("behind") == []
	until(lambda: all(lag is not None and lag < 0.5 for lag in in_another_worker(lags)))
	assert told("caught up") == told("behind") == []
	assert frappe.get_all(OUTAGE, {"kind": "Replica Behind"}) == []


def test_one_that_goes_down_while_it_is_late_has_not_caught_up(quiet, servers):
	quiet.configure(read_replica=full_form(servers, max_lag=0.5))
	in_another_worker(lags)
	with standing_still(servers):
		write_something()
		until(lambda: all(lag and lag > 1 for lag in in_another_worker(lags)))
		told("behind")
		minutes_later(5)
		assert told("behind")
		servers.replicas[0].kill()
		try:
			assert told("replica01") == ["Replica replica01 is down"]
		finally:
			servers.replicas[0].start()


def test_a_new_process_finds_a_replica_that_has_been_late_since_before(quiet, servers):
	quiet.configure(read_replica=full_form(servers, max_lag=2))
	with standing_still(servers):
		write_something()
		tell_in_a_process_of_its_own(quiet)
		assert row_count("Replica Behind") == 2 and row_count("Replica Down") == 0
		minutes_later(5)
		tell_in_a_process_of_its_own(quiet)
		assert "has been more than 2 s behind" in told_already()
	tell_in_a_process_of_its_own(quiet)
	assert "has caught up, and 1 more" in told_already()


def tell_in_a_process_of_its_own(site) -> None:
	# Without verdicts of the processes of these tests.
	router_of_site().stop()
	time.sleep(SECONDS_A_VERDICT_HOLDS)
	site.bench("--site", SITE, "execute", "read_replica.watch.notices.tell")
	frappe.db.rollback()


def row_count(kind: str) -> int:
	return len(frappe.get_all(OUTAGE, {"kind": kind}))


def told_already() -> str:
	return " ".join(frappe.get_all("Notification Log", {"for_user": CLERK}, pluck="subject"))


def write_something() -> None:
	frappe.get_doc({"doctype": "ToDo", "description": "later"}).insert()
	frappe.db.commit()


def lags() -> list[float | None]:
	health = router_of_site().health
	health.check_now()
	return [health.verdict_of(f"replica0{number}").lag for number in (1, 2)]


def minutes_later(minutes: float) -> None:
	frappe.db.sql(f"update `tab{OUTAGE}` set began_at = began_at - interval %s second", minutes * 60)
	frappe.db.commit()


def test_a_server_of_jobs_that_is_gone_is_told_once_and_once_when_it_is_back(quiet, hourly, monkeypatch):
	rule(HOURLY, "secondary")
	servers.note([], {"secondary"})
	assert told("Server") == ["Server secondary of jobs is gone"]
	assert f"Scheduled jobs: {HOURLY}" in details()
	assert told("Server") == []
	monkeypatch.setenv("SERVER_ID", "secondary")
	servers.note([], ())
	monkeypatch.delenv("SERVER_ID")
	assert told("Server") == ["Server secondary of jobs is back"]
	minutes_pass(20)
	assert told("Server") == ["Server secondary of jobs is gone"]


def default_server_is_gone() -> None:
	"""The scheduler of another server has watched for twenty minutes, and has seen nobody else."""
	servers.note([], {"primary"})
	minutes_pass(20, ticking=("secondary",))


def test_another_servers_scheduler_tells_once_that_the_server_is_gone_that_tells(quiet, hourly, monkeypatch):
	servers.note([], ())
	tick(monkeypatch, "secondary")
	assert unread("Server") == [], "it is alive"
	default_server_is_gone()
	tick(monkeypatch, "secondary")
	assert unread("Server") == ["Server primary of jobs is gone"]
	assert f"Scheduled jobs: {HOURLY}" in details()
	tick(monkeypatch, "secondary")
	tick(monkeypatch, "third")
	assert unread("Server") == []
	monkeypatch.delenv("SERVER_ID")
	servers.note([], ())
	assert told("Server") == ["Server primary of jobs is back"]
	default_server_is_gone()
	tick(monkeypatch, "secondary")
	assert unread("Server") == ["Server primary of jobs is gone"], "the next outage is another one"


def test_a_server_does_not_tell_of_itself_and_a_second_one_that_tells_is_told_of(quiet, hourly, monkeypatch):
	rule(notices.TELL, "secondary")
	default_server_is_gone()
	tick(monkeypatch, "secondary")
	assert unread("Server") == [], "its own job tells, every five minutes"
	monkeypatch.delenv("SERVER_ID")
	minutes_pass(20)
	frappe.db.sql(
		"update `tabJob Server` set workers_alive_at = utc_timestamp(6) where server_id = 'primary'"
	)
	frappe.db.commit()
	tick(monkeypatch, None)
	assert unread("Server") == [], "it has no job that is not stopped"
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0 where method = %s", notices.TELL)
	frappe.db.commit()
	tick(monkeypatch, None)
	assert unread("Server") == ["Server secondary of jobs is gone"]


def test_its_mail_is_sent_by_a_worker_of_that_server(quiet, hourly, built, monkeypatch):
	frappe.db.set_single_value("Read Replica Settings", "send_notices_by_mail", 1)
	frappe.db.commit()
	quiet.configure(mail_server="127.0.0.1", auto_email_id="out@example.com", mail_password="x")
	default_server_is_gone()
	tick(monkeypatch, "secondary")
	mail = mail_to(CLERK).message
	assert "Server primary of jobs is gone" in email.message_from_string(mail)["Subject"]
	assert waiting("short").count(notices.SEND_MAILS) == 1
	tick(monkeypatch, "secondary")
	assert waiting("short").count(notices.SEND_MAILS) == 1


def test_an_overdue_job_is_told_once_and_once_when_it_has_run(quiet, each_minute):
	servers.note([], ())
	due_seconds_ago(60)
	assert told("overdue") == []
	due_seconds_ago(1800)
	assert told("overdue") == [f"Job {HOURLY} is overdue"]
	assert "has not claimed it" in details()
	assert told("overdue") == []
	due_seconds_ago(0)
	assert told("overdue") == [f"Job {HOURLY} is not overdue any more"]


def test_a_run_given_up_is_told_once_a_day_for_each_job(quiet, due):
	give_up("one")
	assert told("given up") == [f"A run of job {HOURLY} was given up"]
	give_up("another")
	assert told("given up") == []
	frappe.db.sql("update `tabScheduled Run` set claimed_at = claimed_at - interval 2 day")
	frappe.db.commit()
	assert told("given up") == [f"No run of job {HOURLY} was given up for a day"]
	assert told("given up") == [], "the rows of a month ago are there still"
	give_up("later")
	assert told("given up") == [f"A run of job {HOURLY} was given up"]


def give_up(name: str) -> None:
	frappe.db.sql(
		"insert into `tabScheduled Run` (name, job, job_type, attempts, claimed_at)"
		" values (%s, %s, %s, %s, utc_timestamp(6))",
		(name, HOURLY, HOURLY, scheduled_runs.MOST_ATTEMPTS),
	)
	frappe.db.commit()


def test_four_schedulers_at_once_tell_each_outage_and_its_end_once(quiet, monkeypatch):
	for wrong in (range(6), range(3, 9), ()):
		barrier = Barrier(4)
		monkeypatch.setattr(outages, "looks", lambda wrong=wrong, barrier=barrier: looks(wrong, barrier))
		with ThreadPoolExecutor(4) as schedulers:
			list(schedulers.map(lambda _: tell_as_a_scheduler(), range(4)))
	frappe.db.rollback()
	rows = frappe.get_all(OUTAGE, ["subject", "ended_at"])
	assert sorted(row.subject for row in rows) == [f"job{number}" for number in range(9)]
	assert all(row.ended_at for row in rows)
	texts = frappe.get_all("Notification Log", {"for_user": CLERK}, pluck="email_content")
	lines = sorted(line for text in texts for line in text.split("<br>"))
	expected = [f"job{number} is {word}." for number in range(9) for word in ("over", "wrong")]
	assert lines == expected


def looks(wrong, barrier: Barrier) -> dict[str, Callable[[], Look]]:
	"""What four schedulers have found, each of which goes on once all of them have."""

	def look() -> Look:
		frappe.db.sql(f"select count(*) from `tab{OUTAGE}`")
		barrier.wait(timeout=30)
		found = [Outage(f"job{number}", f"job{number} is wrong", "") for number in wrong]
		return Look(found, lambda subject: f"{subject} is over")

	return {"Job Overdue": look}


def tell_as_a_scheduler() -> None:
	with connected():
		notices.tell()


def test_a_kind_that_cannot_be_looked_at_stays_as_it_was_told_and_the_others_are_told(quiet, monkeypatch):
	def fails() -> Look:
		raise RuntimeError("broken by a test")

	def finds() -> Look:
		return Look([Outage("a", "a is wrong", "")], lambda subject: f"{subject} is over")

	monkeypatch.setattr(outages, "looks", lambda: {"Job Overdue": finds, "Server Gone": finds})
	assert told("a is wrong") == ["a is wrong", "a is wrong"]
	found = {"Job Overdue": fails, "Server Gone": lambda: Look([], lambda subject: f"{subject} is over")}
	monkeypatch.setattr(outages, "looks", lambda: found)
	assert told("a is") == ["a is over"]
	monkeypatch.setattr(outages, "looks", lambda: {"Job Overdue": lambda: None})
	assert told("a is") == [], "it cannot be said now"
	assert not row_of("Job Overdue").ended_at


def test_a_notice_that_cannot_be_written_is_told_the_next_time(quiet, monkeypatch):
	look = Look([Outage("a", "a is wrong", "")], lambda subject: f"{subject} is over")
	monkeypatch.setattr(outages, "looks", lambda: {"Job Overdue": lambda: look})

	def fails(*_: object) -> None:
		raise RuntimeError("broken by a test")

	with monkeypatch.context() as broken:
		broken.setattr(notices, "_notify", fails)
		assert told("a is") == []
	assert told("a is") == ["a is wrong"]


def test_names_are_shown_as_text(quiet, monkeypatch):
	look = Look([Outage("<img src=x>", "<img src=x> is wrong", "<b>why</b>")], str)
	monkeypatch.setattr(outages, "looks", lambda: {"Job Overdue": lambda: look})
	assert told("is wrong") == ["&lt;img src=x&gt; is wrong"]
	assert "<img" not in details() and "<b>why" not in details()


def mail_to(user: str) -> frappe._dict:
	"""The one mail that waits for a user; those who read another language get another one."""
	[name] = frappe.get_all("Email Queue Recipient", {"recipient": user}, pluck="parent")
	return frappe.get_doc("Email Queue", name)


@pytest.fixture
def built(quiet) -> Iterator[None]:
	"""A list of what a build has made, as a mail names its stylesheet."""
	assets = quiet.path / "assets" / "assets.json"
	if assets.exists():
		yield
		return
	assets.write_text("{}")
	frappe.cache().delete_value("assets_json", shared=True)
	yield
	assets.unlink()
	frappe.cache().delete_value("assets_json", shared=True)


def test_all_that_is_found_at_once_goes_into_one_mail_if_that_is_set(quiet, built, monkeypatch):
	changes = [Outage(name, f"{name} is wrong", f"{name} is at 10.0.0.2") for name in "ab"]
	kinds = {
		"Job Overdue": lambda: Look(changes, str),
		"Server Gone": lambda: Look(changes[:1], str),
	}
	monkeypatch.setattr(outages, "looks", lambda: kinds)
	frappe.db.set_single_value("Read Replica Settings", "send_notices_by_mail", 1)
	frappe.db.commit()
	assert len(told("is wrong")) == 2, "told in the desk, though there is no account to send mails from"
	assert frappe.get_all("Email Queue") == []
	quiet.configure(mail_server="127.0.0.1", auto_email_id="out@example.com", mail_password="x")
	frappe.db.delete(OUTAGE)
	frappe.db.commit()
	assert len(told("is wrong")) == 2
	mail = mail_to(CLERK)
	assert mail.reference_doctype == OUTAGE
	message = email.message_from_string(mail.message, policy=email.policy.default)
	assert message["Subject"] == f"[{SITE}] a is wrong, and 2 more"
	assert "b is wrong. b is at 10.0.0.2" in message.get_body(("html",)).get_content()
	recipients = frappe.get_all("Email Queue Recipient", {"parent": mail.name}, pluck="recipient")
	assert CLERK in recipients and "Administrator" not in recipients
	assert told("is wrong") == [] and mail_to(CLERK).name == mail.name


def test_the_scheduler_tells_every_five_minutes(quiet):
	[job] = frappe.get_all(
		"Scheduled Job Type", {"method": "read_replica.watch.notices.tell"}, ["cron_format", "stopped"]
	)
	assert (job.cron_format, job.stopped) == ("*/5 * * * *", 0)


def test_outages_that_are_over_for_long_are_cleared_and_those_that_last_are_kept(quiet, monkeypatch):
	from frappe.core.doctype.log_settings.log_settings import run_log_clean_up

	look = Look([Outage(name, f"{name} is wrong", "") for name in "abc"], str)
	monkeypatch.setattr(outages, "looks", lambda: {"Job Overdue": lambda: look})
	in_another_worker(notices.tell)
	days_ago = "utc_timestamp() - interval %s day"
	for subject, days in (("a", 200), ("b", 100)):
		frappe.db.sql(
			f"update `tab{OUTAGE}` set ended_at = {days_ago}, open_key = null where subject = %s",
			(days, subject),
		)
	frappe.db.commit()
	run_log_clean_up()
	if frappe.__version__.startswith("14."):
		# It does not know the hook that names what is to be cleared, only what an administrator adds.
		ReadReplicaOutage.clear_old_logs()
		frappe.db.commit()
	assert sorted(frappe.get_all(OUTAGE, pluck="subject")) == ["b", "c"]
	assert outage_rows.DOCTYPE == OUTAGE
