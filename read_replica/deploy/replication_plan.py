# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Holds the values that the steps for a new replica are made of, taken from the site and its primary."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from read_replica.deploy.accounts import Account, new_password
from read_replica.deploy.database_checks import LOCAL_HOSTS
from read_replica.deploy.facts import Databases, Variables

_POSITION = re.compile(r"\d+-\d+-\d+(,\d+-\d+-\d+)*")


@dataclass(frozen=True)
class Plan:
	"""What a new replica is to be.

	:param primary_host: as the new replica reaches the primary
	:param server_id: the replica's own
	:param account: who the replica logs in as on the primary
	:param has_tls: whether the primary encrypts what it sends to the replica
	:param ssl_ca: the path, on the replica, of the authority's certificate that the primary's is held against
	:param password: the account's
	:param position: the GTIDs up to which the copy has everything; None: not known yet
	:raises ValueError: if a replica on another host is to reach the primary by an address of this machine alone, or
		the position is none
	"""

	primary_host: str
	primary_port: int
	replica_host: str
	replica_port: int
	server_id: int
	account: Account
	has_tls: bool
	ssl_ca: str | None
	password: str = field(repr=False)
	position: str | None = None

	def __post_init__(self) -> None:
		if self.primary_host in LOCAL_HOSTS and not self.is_on_the_primarys_host:
			raise ValueError(
				f"The new replica {self.replica_host} cannot reach its primary at {self.primary_host}: that is the"
				" replica itself. Give the primary's address as the replica reaches it to --primary-host."
			)
		if self.position is not None and not _POSITION.fullmatch(self.position):
			raise ValueError(
				f"{self.position!r} is no position: write the third field of the copy's binlog_info, such as 0-1-1234"
			)

	@property
	def is_on_the_primarys_host(self) -> bool:
		"""Whether the two reach one another without leaving their machine."""
		return self.replica_host in LOCAL_HOSTS


def make_plan(
	servers: Databases,
	primary_host: str,
	user: str | None = None,
	from_host: str | None = None,
	ssl_ca: str | None = None,
	position: str | None = None,
	other_ids: Iterable[int] = (),
	listed_ids: Iterable[int] = (),
) -> Plan:
	"""Returns the plan for a new replica, the only one of `servers`.

	:param primary_host: as the new replica reaches the primary
	:param user: the name of the replica's account; None: made of its server_id, so that no other replica has it
	:param from_host: where it logs in from; None: from the address by which this machine knows the replica
	:param other_ids: the server_ids of the site's other replicas
	:param listed_ids: the server_ids of all replicas that the primary knows; this one may be among them
	:raises Skipped: if the primary does not answer
	:raises ValueError: if one of the values cannot be
	"""
	[replica] = servers.replicas
	server_id = free_server_id(servers, None if replica.error else replica.variables, other_ids, listed_ids)
	return Plan(
		primary_host=primary_host,
		primary_port=int(servers.primary.variables["port"]),
		replica_host=replica.login.host,
		replica_port=replica.login.port,
		server_id=server_id,
		account=Account(user or f"replica_{server_id}", from_host or replica.login.host),
		has_tls=servers.primary.variables.of_server.get("have_ssl") == "YES",
		ssl_ca=ssl_ca,
		password=new_password(),
		position=position,
	)


def free_server_id(
	servers: Databases, own: Variables | None, others: Iterable[int], listed: Iterable[int]
) -> int:
	"""Returns the server_id that a new replica has, if no other has it, or the lowest free one.

	An id that has written to the primary's binary log counts as taken, as what a stray write leaves there is told
	by its server_id.

	:param own: what the new replica says of itself; None if it cannot be asked
	:param others: the ids of the site's other replicas
	:param listed: the ids of all replicas that the primary knows
	"""
	primary = servers.primary.variables
	taken = {int(primary["server_id"]), 0, *others}
	if own and is_a_replica(own) and int(own["server_id"]) not in taken:
		return int(own["server_id"])
	taken |= {int(gtid.split("-")[1]) for gtid in _gtids(primary.of_server.get("gtid_binlog_state", ""))}
	taken |= set(listed)
	if own and int(own["server_id"]) not in taken:
		return int(own["server_id"])
	return next(number for number in range(2, len(taken) + 3) if number not in taken)


def is_a_replica(known: Variables) -> bool:
	"""Returns whether a server has a primary that it follows, running or not."""
	return bool(known.connections) or known.status.get("Slaves_running", "0") != "0"


def _gtids(text: str) -> Sequence[str]:
	return [gtid.strip() for gtid in text.split(",") if gtid.strip()]
