# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Prints what the commands of this room have found or done."""

import click
from rich.console import Console
from rich.table import Table

from read_replica.deploy.reports import UserReport


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
	table = Table("Server", "It should", "", "What the server said", show_lines=False)
	for proof in report.proofs:
		table.add_row(proof.server, proof.tried, "ok" if proof.passed else "FAILED", proof.seen)
	console = Console(highlight=False)
	if not console.is_terminal:
		console.width = 160
	console.print(table)


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
