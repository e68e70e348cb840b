# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a server of the site is to be, kept beside bench's own files, so that it can be written anew and proved."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from read_replica.deploy.offer import Offer
from read_replica.deploy.text_file import TextChange, text_of

FILE = "read-replica-server.json"


@dataclass(frozen=True)
class Role:
	"""What a server is to be; it holds no secret.

	:param server_id: its SERVER_ID
	:param has_scheduler: whether its scheduler runs
	:param other_queues: queues that only other servers read
	:param open_redis: which of its Redis servers let others in, such as `redis-cache`
	:param redis_address: where they do
	:param database_server: which server answers it as the primary, see `server_proofs.identity_of`; None: not known
	:param web_address: where its gunicorn listens, beside what bench has, for an nginx on another server
	:param front: the address of that nginx, whom gunicorn believes what it says of the browser
	"""

	server_id: str
	has_scheduler: bool
	other_queues: tuple[str, ...] = ()
	open_redis: tuple[str, ...] = ()
	redis_address: str | None = None
	database_server: str | None = None
	web_address: str | None = None
	front: str | None = None


def of_second(offer: Offer, before: Role | None, web_address: str | None, front: str | None) -> Role:
	"""Returns the role of a second server.

	:param before: what the server was so far, for what is not said anew
	"""
	return Role(
		offer.second,
		offer.has_scheduler,
		tuple(offer.other_queues),
		database_server=offer.database_server,
		web_address=web_address or (before.web_address if before else None),
		front=front or (before.front if before else None),
	)


def change(config: Path, role: Role) -> TextChange:
	"""Returns the change that keeps a role.

	:param config: the folder `config` of the bench
	"""
	path = config / FILE
	return TextChange(path, text_of(path), json.dumps(asdict(role), indent=1) + "\n")


def read(config: Path) -> Role:
	"""Returns the role of this server.

	:raises ValueError: if none is kept, or it cannot be read
	"""
	path = config / FILE
	try:
		content = json.loads(path.read_text())
		# What an earlier version did not know is left out.
		known = {field.name: content[field.name] for field in fields(Role) if field.name in content}
		return Role(**{name: _as_kept(value) for name, value in known.items()})
	except FileNotFoundError as error:
		raise ValueError(
			"This server is neither a first nor a second one yet. On the first one: second-server --offer FILE"
			" --address ADDRESS; then on the second one: second-server --take FILE"
		) from error
	except (ValueError, KeyError, TypeError) as error:
		raise ValueError(
			f"{path} cannot be read. Run second-server with --offer or --take again to write it anew."
		) from error


def _as_kept(value: Any) -> Any:
	return tuple(value) if isinstance(value, list) else value
