# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""An rsync daemon, and a shell for rsync that stands for ssh: it runs what it is given on this machine."""

from pathlib import Path

from support.servers import Server, find_program

# As ssh is called: its own options, the host, and the command.
LIKE_SSH = """\
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
shift
"""


class RsyncDaemon(Server):
	"""A daemon that shows one folder, under the name `site`."""

	def __init__(self, folder: Path, shown: Path):
		super().__init__(folder)
		(folder / "rsyncd.conf").write_text(
			f"use chroot = no\nmunge symlinks = no\nuid = {shown.owner()}\ngid = {shown.group()}\n"
			f"[site]\npath = {shown}\nread only = yes\n"
		)

	def command(self) -> list[str]:
		program = find_program("rsync")
		config = f"--config={self.folder / 'rsyncd.conf'}"
		return [program, "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={self.port}", config]


def remote_shell(path: Path, script: str) -> str:
	"""Makes a program that rsync can use in the place of ssh; in the script, "$@" is the command of the other side."""
	path.write_text(LIKE_SSH + script)
	path.chmod(0o755)
	return str(path)
