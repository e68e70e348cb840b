# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells System Managers what is wrong, once per outage, and when it is over: in the desk, and by mail if set.

Each is told in his own language. A scheduled job. Two servers that run it at the same time tell nothing twice; see `outage_rows`. That the server is
gone which runs this job, the scheduler of any other server tells.
"""

from collections.abc import Callable, Mapping
from functools import partial

import frappe
from frappe.desk.doctype.notification_settings.notification_settings import is_notifications_enabled
from frappe.utils import escape_html
from frappe.utils.user import get_system_managers

from read_replica.database.bookkeeping import in_a_transaction
from read_replica.database.event_log import log_event
from read_replica.engine.sentence import Sentence
from read_replica.jobs import enqueue
from read_replica.jobs.placement import Placement
from read_replica.jobs.rule_set import TAKEOVER_AFTER
from read_replica.jobs.rules import rule_for
from read_replica.policy.sources import is_switched_on
from read_replica.watch import outage_rows, outages
from read_replica.watch.languages import Languages, languages_of_readers
from read_replica.watch.outage_rows import Change
from read_replica.watch.outages import Look

SWITCH_OF_MAIL = "send_notices_by_mail"

# This job, as rules name it.
TELL = "read_replica.watch.notices.tell"
SEND_MAILS = "frappe.email.queue.flush"


def tell() -> None:
	"""Look for outages, and tell System Managers what has begun and what is over since the last time.

	What cannot be looked at is logged, and stays as it was told; the other kinds are told all the same.
	"""
	_tell(outages.looks())


def tell_of_server_that_tells(placement: Placement) -> None:
	"""Tell that the server is gone which runs `tell`: a tick of any other server's scheduler calls this.

	It looks at the servers of jobs alone, so it tells of others that are gone as well, and waits for no replica.

	:param placement: what that tick knows of the servers
	"""
	rule = rule_for(TELL)
	if rule.server_id == placement.this_server:
		return
	if placement.is_gone(rule.server_id, rule.takeover_after or TAKEOVER_AFTER) and _tell(
		outages.of_servers()
	):
		_send_mails_from_here(placement.this_server)


def _tell(looks: Mapping[str, Callable[[], Look | None]]) -> list[Change]:
	"""Tell what these have found; returns what was told."""
	told = []
	languages = languages_of_readers()
	for kind, look_for in looks.items():
		try:
			frappe.db.commit()
			if look := look_for():
				told += in_a_transaction(partial(_note_and_notify, kind, look, languages))
		except Exception as error:
			frappe.db.rollback()
			log_event("notice_failed", of=kind, error=f"{type(error).__name__}: {error}")
	if told and is_switched_on(SWITCH_OF_MAIL):
		_mail(told, languages)
	return told


def _send_mails_from_here(this_server: str) -> None:
	"""Let a worker of this server send what waits: the job that does so may be that of the server that is gone."""
	if is_switched_on(SWITCH_OF_MAIL):
		# Not for the default server, whatever is known of the workers here.
		enqueue.enqueue(SEND_MAILS, server_id=this_server, queue="short", takeover_after=0)


def _note_and_notify(kind: str, look: Look, languages: Languages) -> list[Change]:
	changes = outage_rows.note(kind, look, partial(languages.say, language=languages.of_site))
	for has_begun in (True, False):
		if of_one_sort := [change for change in changes if change.has_begun is has_begun]:
			_notify(of_one_sort, languages)
	return changes


def _notify(changes: list[Change], languages: Languages) -> None:
	"""Write one notice for all of these, as many jobs may be overdue for one reason."""
	for user in ("Administrator", *get_system_managers(only_name=True)):
		if is_notifications_enabled(user):
			say = partial(languages.say, language=languages.of(user))
			notice = frappe.new_doc("Notification Log")
			notice.update(
				{
					"type": "Alert",
					"for_user": user,
					"from_user": "Administrator",
					"subject": escape_html(say(_subject(changes))),
					"email_content": _as_html(changes, say),
					"document_type": outage_rows.DOCTYPE,
					"document_name": changes[0].name,
				}
			)
			notice.insert(ignore_permissions=True)


def _subject(changes: list[Change]) -> str:
	first, more = changes[0].summary, len(changes) - 1
	return Sentence("{0}, and {1} more", first, more) if more else first


def _as_html(changes: list[Change], say: Callable[[str], str]) -> str:
	lines = [" ".join(filter(None, (f"{say(change.summary)}.", say(change.details)))) for change in changes]
	return "<br>".join(map(escape_html, lines))


def _mail(changes: list[Change], languages: Languages) -> None:
	"""Put one mail with all of these into the queue for each language that System Managers read."""
	readers: dict[str, list[str]] = {}
	for user in get_system_managers(only_name=True):
		readers.setdefault(languages.of(user), []).append(user)
	for language, recipients in readers.items():
		_queue_mail(recipients, changes, partial(languages.say, language=language))


def _queue_mail(recipients: list[str], changes: list[Change], say: Callable[[str], str]) -> None:
	"""Put a mail into the queue; what was told in the desk, and other mails, stay told if that fails."""
	try:
		frappe.sendmail(
			recipients=recipients,
			subject=f"[{frappe.local.site}] {say(_subject(changes))}",
			message=_as_html(changes, say),
			reference_doctype=outage_rows.DOCTYPE,
			reference_name=changes[0].name,
			add_unsubscribe_link=0,
		)
		frappe.db.commit()
	except Exception as error:
		frappe.db.rollback()
		log_event("notice_failed", of="mail", error=f"{type(error).__name__}: {error}")


def forget() -> None:
	"""Delete what was told, as at an uninstall: it links to rows that are gone."""
	frappe.db.delete("Notification Log", {"document_type": outage_rows.DOCTYPE})
	mails = frappe.get_all("Email Queue", {"reference_doctype": outage_rows.DOCTYPE}, pluck="name")
	frappe.db.delete("Email Queue Recipient", {"parent": ("in", mails or [""])})
	frappe.db.delete("Email Queue", {"name": ("in", mails or [""])})
