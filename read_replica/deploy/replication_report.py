# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Holds and prints how the steps for a new replica stand; docs/second-server.md explains the keys of its JSON."""

from dataclasses import dataclass
from datetime import datetime

import click

from read_replica.deploy.replication_steps import StepRow


@dataclass(frozen=True)
class ReplicationReport:
	"""The steps for one new replica.

	:param primary: its address as the replica reaches it
	:param user: the account that the replica logs in with on the primary
	:param password: that account's, only if it was asked for
	"""

	site: str
	at: datetime
	primary: str
	replica: str
	server_id: int
	user: str
	steps: list[StepRow]
	has_changed: bool
	password: str | None = None

	@property
	def is_done(self) -> bool:
		"""Whether every step is."""
		return all(step.state == "done" for step in self.steps)


def print_replication(report: ReplicationReport) -> None:
	"""Print each step with how it stands, and what is to be done for it."""
	click.echo(f"{report.primary} is to have the replica {report.replica}, server_id {report.server_id}\n")
	for number, step in enumerate(report.steps, 1):
		_print_step(number, step)
	if report.password:
		click.echo(f"The password of {report.user}, if these statements are run: {report.password}")
	click.echo(_outcome(report))


def _print_step(number: int, step: StepRow) -> None:
	click.echo(f"{number}. {step.id}: {step.state}{f', {step.why}' if step.why else ''}")
	click.echo(
		f"   On the {step.where}: {step.what}" if step.where != "this machine" else f"   Here: {step.what}"
	)
	_print_lines("Lines for its configuration:", step.config)
	_print_lines("As root:", step.shell)
	_print_lines(
		"SQL, run by --run:" if step.can_run else "SQL:", [f"{statement};" for statement in step.sql]
	)
	_print_lines("Was run:", [f"{statement};" for statement in step.ran])
	click.echo()


def _print_lines(title: str, lines: list[str]) -> None:
	if lines:
		click.echo(f"   {title}")
	for line in lines:
		click.echo(f"      {line}")


def _outcome(report: ReplicationReport) -> str:
	if report.is_done:
		return "All steps are done." if report.has_changed else "All steps are done; nothing was changed."
	[step, *_] = [step for step in report.steps if step.state != "done"]
	how = (
		"--run does it" if step.can_run and step.state == "to do" else "see there what is to be done by hand"
	)
	return f"Next is {step.id}: {how}. Afterwards run this command again."
