# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The group of `bench read-replica`, and what its commands share: a connected site, tables or JSON, errors as sentences."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

import click
import frappe
from frappe.commands import get_site, pass_context

from read_replica.config.keys import names_and_passwords

__all__ = ["HELP_ON_JSON", "pass_context", "read_replica", "say", "secret", "told_as_sentences"]


# What a command prints with is imported inside it, as that would make every other command of bench slow.
@click.group("read-replica")
def read_replica() -> None:
	"Replicas, methods that write, and the servers of scheduled jobs"


@contextmanager
def _connected_site(context: Any, connects: bool) -> Iterator[None]:
	"""A block with the site that the command names, and a connection to its database if it is to have one."""
	frappe.init(site=get_site(context))
	if connects:
		frappe.connect()
	try:
		yield
	finally:
		frappe.destroy()


def say(
	context: Any,
	as_json: bool,
	gather: Callable[[], Any],
	print_tables: Callable[[Any], None],
	needs_app: bool = True,
	hides_accounts: bool = True,
	connects: bool = True,
	needs_site: bool = True,
) -> Any:
	"""Gather a report on the site that the command names, print it as tables, or as JSON and nothing else; return it.

	What Frappe and other apps print meanwhile goes to stderr then.

	:param needs_app: whether the report is made from the app's own tables
	:param hides_accounts: whether names of database users are left out of the JSON; without it, the report itself holds no secret
	:param connects: whether the report needs the site's database; without it, `needs_app` has to be False
	:param needs_site: whether the site is opened; without it, its folder may be empty yet, and none of the options above counts
	:raises click.ClickException: if they are not there, as the site does not have the app
	"""
	from read_replica.watch import json_output

	said = ""
	opened = _connected_site(context, connects) if needs_site else nullcontext()
	with redirect_stdout(sys.stderr) if as_json else nullcontext(), opened:
		if needs_site and needs_app and "read_replica" not in frappe.get_installed_apps():
			raise click.ClickException(
				f"The site {frappe.local.site} does not have read_replica."
				f" Install it: bench --site {frappe.local.site} install-app read_replica"
			)
		report = gather()
		if as_json:
			secrets = names_and_passwords(frappe.local.conf) if needs_site and hides_accounts else None
			said = json_output.json_of(report, secrets)
		else:
			print_tables(report)
	if as_json:
		click.echo(said)
	return report


HELP_ON_JSON = "Print one JSON object and nothing else; docs/metrics.md explains its keys"


def secret(given: str | None, question: str) -> str:
	"""Returns what was given, or asks for it without showing what is typed."""
	return click.prompt(question, hide_input=True, err=True) if given is None else given


@contextmanager
def told_as_sentences(errors: tuple[type[Exception], ...]) -> Iterator[None]:
	"""A block whose expected errors end the command with a sentence, and without a traceback."""
	try:
		yield
	except errors as error:
		raise click.ClickException(str(error)) from error
