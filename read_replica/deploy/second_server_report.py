# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What `second-server` has written and proved, as JSON has it and as a person reads it."""

from dataclasses import dataclass, field
from datetime import datetime

import click

from read_replica.deploy.replica_user import Proof


@dataclass(frozen=True)
class FileDiff:
	"""A file that was written or is to be, and its change without secrets."""

	path: str
	diff: str


@dataclass
class SecondServerReport:
	"""What makes this bench the one of a first or of a second server.

	:param server_id: the SERVER_ID of this server
	:param todo: what is left for a person to do, in this order
	"""

	site: str
	at: datetime
	server_id: str
	files: list[FileDiff] = field(default_factory=list)
	todo: list[str] = field(default_factory=list)
	has_changed: bool = False
	proofs: list[Proof] = field(default_factory=list)

	@property
	def is_proved(self) -> bool:
		"""Whether everything that was tried went as it should."""
		return all(proof.passed for proof in self.proofs)


def print_second_server(report: SecondServerReport) -> None:
	"""Print the changes of files, what is left to do, and what was proved."""
	for file in report.files:
		click.echo(f"{file.diff}\n")
	for proof in report.proofs:
		click.echo(f"{'ok    ' if proof.passed else 'FAILED'} {proof.server}: {proof.tried}: {proof.seen}")
	if report.has_changed:
		click.echo(f"Written. This server is {report.server_id}.")
	elif report.files:
		click.echo("Nothing was written.")
	elif not report.proofs:
		click.echo("All is written already; nothing was changed.")
	if report.todo:
		click.echo("\nTo be done now, in this order:")
		for at, step in enumerate(report.todo, 1):
			click.echo(f"{at:2}. {step}")
