# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What `nginx` has made, as JSON has it and as people read it; docs/second-server.md explains the keys."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import click

from read_replica.deploy.nginx_rules import LeftOut


@dataclass(frozen=True)
class NginxReport:
	"""The derived file.

	:param source: bench's file, of which it is made
	:param server: the address of the reporting server
	:param name: what the reporting server is called in the header and in the log
	:param routed: the methods and lists that go to the reporting server, and patterns over methods
	:param log: the file that says which server answered
	:param diff: the change of the file
	:param is_current: whether the file was as it should be
	:param commands: what puts it into nginx's service
	"""

	site: str
	at: datetime
	source: str
	path: str
	server: str
	name: str
	routed: list[str]
	left_out: list[LeftOut]
	log: str | None
	diff: str
	is_current: bool
	has_changed: bool
	commands: list[str] = field(default_factory=list)


def print_nginx(report: NginxReport) -> None:
	"""Print the change of the file, what nginx cannot follow, and the commands that put it into service."""
	if report.diff:
		click.echo(f"{report.diff}\n")
	click.echo(f"{len(report.routed)} names of methods and lists go to {report.name} at {report.server}.")
	for reason, count in Counter(left.reason for left in report.left_out).items():
		rules = [left.rule for left in report.left_out if left.reason == reason]
		shown = ", ".join(rules[:3]) + (f" and {count - 3} more" if count > 3 else "")
		click.echo(f"Left out: {shown}: {reason}.")
	if not report.log:
		click.echo(
			f"{report.source} has no access_log, so only the header X-Answered-By says which server answered. To have it"
			" in a log as well: bench setup nginx --logging combined, and run this again."
		)
	click.echo(f"\n{_outcome(report)}")
	for command in report.commands:
		click.echo(f"  {command}")


def _outcome(report: NginxReport) -> str:
	if report.has_changed:
		return f"{report.path} is written. To put it into service on the front server:"
	if report.is_current:
		return f"{report.path} is as it should be; nothing was changed. It is put into service by:"
	return f"{report.path} is not as it should be, and was not changed. Without --check and --dry-run it is written."
