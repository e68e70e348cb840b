# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes what each server changes of bench's own files for supervisor and systemd, as files beside them.

Both merge such a file into the one that bench writes, option by option, so it stays when bench writes its own anew.
It is read after bench's, by its name for supervisor, and by its folder for systemd.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from read_replica.deploy import lan_address
from read_replica.deploy.bench_programs import BenchPrograms
from read_replica.deploy.server_role import Role

SUPERVISOR_FILE = "read-replica-supervisor.conf"
SYSTEMD_FOLDER = "read-replica-systemd"
DROP_IN = "read-replica.conf"
WEB = "frappe-web"

HEAD = """; Written by `bench read-replica second-server`, which writes it anew when it is run again.
; It changes programs of {file}, which is to be read before it.
"""


def for_supervisor(programs: BenchPrograms, role: Role) -> str:
	"""Returns the file for supervisor: SERVER_ID for all that runs code of Frappe's, and what does not run here.

	A program that is not to run is replaced by one that says so and ends. `autostart=false` would not do:
	`bench restart` restarts whole groups, and starts what is in them. Taking it out of its group would not do
	either, as bench adds programs to that list.
	"""
	parts = [HEAD.format(file="supervisor.conf")]
	for program in programs.commands:
		reason = _why_not(programs, program, role)
		if reason:
			options = {
				"command": f"/bin/echo {reason}",
				"autostart": "false",
				"autorestart": "false",
				"startsecs": "0",
			}
		elif program in programs.with_frappe:
			options = {"environment": _environment(programs.environments.get(program), role)}
			if program == WEB and role.web_address:
				options["command"] = _listening(programs.commands[program], role.web_address)
		elif program in role.open_redis and role.redis_address:
			options = {"command": _bound(programs.commands[program], role.redis_address)}
		else:
			continue
		lines = "".join(f"{option}={value}\n" for option, value in options.items())
		parts.append(f"[program:{programs.name}-{program}]\n{lines}")
	return "\n".join(parts)


def _environment(given: str | None, role: Role) -> str:
	"""Returns the variables of a program: an overlay takes the place of all that bench's file has, so they are kept."""
	own = f'SERVER_ID="{role.server_id}"'
	if role.front:
		# Without it, gunicorn does not know that the browser came by HTTPS, and cookies are not marked as secure.
		own += f',FORWARDED_ALLOW_IPS="127.0.0.1,{role.front}"'
	# Of a variable that stands there twice, supervisor takes the last one.
	return f"{given.rstrip(', ')},{own}" if given else own


def _listening(command: str, address: str) -> str:
	"""Returns gunicorn's command with one more address, at the port that bench has given it.

	:raises ValueError: if it listens on no port
	"""
	found = re.search(r"(?:-b|--bind)[ =]\S*:(\d+)", command)
	if not found:
		raise ValueError(
			f"gunicorn listens on no port in supervisor.conf, so none can be opened at {address}: {command}. Make it"
			" anew: bench setup supervisor"
		)
	own = f"{lan_address.in_url(address)}:{found[1]}"
	at = found.end()
	return command if own in command else f"{command[:at]} -b {own}{command[at:]}"


def _why_not(programs: BenchPrograms, program: str, role: Role) -> str | None:
	"""Returns why a program does not run on this server, in words that need no quoting; None if it does."""
	if program == "frappe-schedule" and not role.has_scheduler:
		return "read_replica: the scheduler of another server serves this one"
	queues = programs.worker_queues.get(program)
	if queues and set(queues) <= set(role.other_queues):
		return f"read_replica: another server reads {','.join(queues)}"
	return None


def for_systemd(name: str, role: Role, redis_commands: Mapping[str, str]) -> dict[str, str]:
	"""Returns the files for systemd, by their places below /etc/systemd/system.

	:param name: that of the bench
	:param redis_commands: what `redis-cache` and `redis-queue` run on this server; none where there are none
	"""
	head = "# Written by `bench read-replica second-server`, which writes it anew when it is run again.\n"
	# A folder for all units whose names begin so.
	front = f'Environment="FORWARDED_ALLOW_IPS=127.0.0.1,{role.front}"\n' if role.front else ""
	files = {f"{name}-.service.d": f'{head}[Service]\nEnvironment="SERVER_ID={role.server_id}"\n{front}'}
	not_here = {f"{queue}-worker" for queue in role.other_queues} | (
		set() if role.has_scheduler else {"schedule"}
	)
	for program in sorted(not_here):
		# It cannot be masked, as bench has a file of that name; `/` is always there.
		files[f"{name}-frappe-{program}.service.d"] = (
			f"{head}# Another server does this: never started here.\n[Unit]\nConditionPathExists=!/\n"
		)
	for program in role.open_redis:
		if role.redis_address and program in redis_commands:
			files[f"{name}-{program}.service.d"] = (
				f"{head}[Service]\n# The empty one takes bench's own away; systemd would refuse a second one.\n"
				f"ExecStart=\nExecStart={_bound(redis_commands[program], role.redis_address)}\n"
			)
	return {f"{folder}/{DROP_IN}": text for folder, text in files.items()}


def _bound(command: str, address: str) -> str:
	"""Returns a command of Redis that is bound to this machine and one of its addresses, whatever its file says."""
	return f"{command} --bind 127.0.0.1 {address}"


def bench_link(config: Path, folders: Sequence[Path]) -> Path | None:
	"""Returns the link by which supervisor reads bench's own file; None if there is none.

	:param config: the folder `config` of the bench
	:param folders: where supervisor may read its files from
	"""
	file = (config / "supervisor.conf").resolve()
	paths = [path for folder in folders for path in sorted(folder.glob("*"))]
	return next((path for path in paths if path.resolve() == file), None)


def link_behind(path: Path) -> Path:
	"""Returns a place for a link that supervisor, which sorts them, reads after this one."""
	name = f"zz-{path.stem}-read-replica{path.suffix}"
	return path.with_name(name if name > path.name else f"{path.stem}~read-replica{path.suffix}")
