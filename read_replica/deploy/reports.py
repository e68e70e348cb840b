# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the commands of this room have found or done, as JSON has it; docs/second-server.md and docs/doctor.md explain the keys."""

from dataclasses import dataclass, field
from datetime import datetime

from read_replica.deploy.doctor import Finding
from read_replica.deploy.nginx_report import NginxReport
from read_replica.deploy.replica_user import Proof
from read_replica.deploy.replication_report import ReplicationReport
from read_replica.deploy.second_server_report import SecondServerReport
from read_replica.deploy.sync_report import SyncReport


@dataclass
class UserReport:
	"""What was made, written and proved.

	:param sql: what was run on the primary, or is to be run there
	:param diff: the change of site_config.json
	:param password: only if it was asked for
	"""

	site: str
	at: datetime
	user: str
	hosts: list[str]
	sql: list[str] = field(default_factory=list)
	diff: str = ""
	has_changed: bool = False
	password: str | None = None
	proofs: list[Proof] = field(default_factory=list)

	@property
	def is_proved(self) -> bool:
		"""Whether everything that was tried went as it should."""
		return bool(self.proofs) and all(proof.passed for proof in self.proofs)


@dataclass(frozen=True)
class CheckRow:
	"""A check that can be run by its name."""

	id: str
	expected: str
	tags: list[str]


@dataclass(frozen=True)
class DoctorReport:
	"""What the checks have found.

	:param silenced: the checks that site_config.json leaves out
	:param exit_status: that of the command
	"""

	site: str
	at: datetime
	replicas: list[str]
	findings: list[Finding]
	silenced: list[str]
	exit_status: int


# By the names of the commands.
REPORTS = {
	"replica-user": UserReport,
	"doctor": DoctorReport,
	"replication": ReplicationReport,
	"second-server": SecondServerReport,
	"sync": SyncReport,
	"nginx": NginxReport,
}
