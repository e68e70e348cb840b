# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Prints what the commands of this room have found or done."""

import click
from rich.console import Console
from rich.table import Table

from read_replica.deploy.reports import CheckRow, DoctorReport, UserReport

WORDS = {"ok": "ok", "warn": "WARN", "fail": "FAIL", "unknown": "unknown", "skipped": "skipped"}


def print_user(report: UserReport) -> None:
	"""Print the SQL, the change of site_config.json, and what was proved."""
	click.echo(f"User {report.user}, who logs in from {', '.join(report.hosts)}")
	if report.sql:
		click.echo("\nOn the primary, from where it is replicated:")
		for statement in report.sql:
			click.echo(f"{statement};")
	if report.password:
		click.echo(f"\nIts password: {report.password}")
	if report.diff:
		click.echo(f"\n{report.diff}\n")
	if report.proofs:
		_print_proofs(report)
	click.echo(_outcome(report))


def _print_proofs(report: UserReport) -> None:
	table = Table("Server", "It should", "", "What the server said")
	for proof in report.proofs:
		table.add_row(proof.server, proof.tried, "ok" if proof.passed else "FAILED", proof.seen)
	_console().print(table)


def _console() -> Console:
	console = Console(highlight=False)
	if not console.is_terminal:
		console.width = 160
	return console


def _outcome(report: UserReport) -> str:
	if not report.proofs:
		return (
			"Nothing was changed. --run does all of it. To run the SQL yourself: --show-password shows it complete;"
			" then give the password to --take, which proves the user and writes site_config.json."
		)
	if not report.is_proved:
		return "site_config.json was not changed, as the user is not proved yet."
	if report.has_changed:
		return (
			"Done, and proved on each server. All processes of the site take it up with their next request."
		)
	return "All is as it should be; nothing was changed."


def print_doctor(report: DoctorReport) -> None:
	"""Print one line for each check, and below it what was expected and what mends it where something is wrong."""
	console = _console()
	for finding in report.findings:
		seen = f": {finding.seen}" if finding.seen else ""
		console.print(f"{WORDS[finding.status]:8}{finding.id}{seen}", markup=False)
		if finding.status in ("warn", "fail", "unknown"):
			console.print(f"        expected: {finding.expected}", markup=False)
			console.print(f"        to mend:  {finding.fix}", markup=False)
			console.print(f"        see:      {finding.link}", markup=False)
	counts = {word: sum(finding.status == word for finding in report.findings) for word in WORDS}
	console.print(", ".join(f"{count} {word}" for word, count in counts.items() if count))
	if report.silenced:
		console.print(f"Silenced in site_config.json: {', '.join(report.silenced)}", markup=False)


def print_checks(checks: list[CheckRow]) -> None:
	"""Print all checks."""
	table = Table("Check", "What is right", "Tags")
	for check in checks:
		table.add_row(check.id, check.expected, ", ".join(check.tags))
	_console().print(table)
