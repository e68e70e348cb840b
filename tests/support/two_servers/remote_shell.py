# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs commands on another server, as ssh does for its administrator; for servers of tests alone, as it asks nobody's name.

python -m support.two_servers.remote_shell ADDRESS: the server; with COMMAND: the client, which has the command's input,
output, errors and exit status.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
from typing import IO

PORT = 22
AT_ONCE = 1 << 16

# What the server sends: where it belongs, and how long it is.
HEAD = struct.Struct("!BI")
STATUS, OUTPUT, ERRORS = range(3)


def serve(address: str) -> None:
	with socket.create_server((address, PORT)) as server:
		while True:
			connection, _ = server.accept()
			threading.Thread(target=_carry_out, args=(connection,), daemon=True).start()


def _carry_out(connection: socket.socket) -> None:
	with connection, connection.makefile("rb") as received:
		command = received.read(HEAD.unpack(received.read(HEAD.size))[1]).decode()
		process = subprocess.Popen(
			["bash", "-c", f"cd; {command}"],
			stdin=subprocess.PIPE,
			stdout=subprocess.PIPE,
			stderr=subprocess.PIPE,
		)
		sending = threading.Lock()
		threads = [
			threading.Thread(target=_send_all, args=(connection, sending, kind, stream))
			for kind, stream in ((OUTPUT, process.stdout), (ERRORS, process.stderr))
		]
		threading.Thread(target=_copy, args=(received, process.stdin), daemon=True).start()
		for thread in threads:
			thread.start()
		for thread in threads:
			thread.join()
		connection.sendall(HEAD.pack(STATUS, process.wait() % 256))


def _send_all(connection: socket.socket, sending: threading.Lock, kind: int, stream: IO[bytes]) -> None:
	while part := os.read(stream.fileno(), AT_ONCE):
		with sending:
			connection.sendall(HEAD.pack(kind, len(part)) + part)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
	try:
		while part := source.read1(AT_ONCE):
			target.write(part)
			target.flush()
		target.close()
	except OSError:
		# The command did not read it all, or the connection is gone.
		pass


def ask(address: str, command: str) -> int:
	"""Run a command on that server; returns its exit status."""
	with socket.create_connection((address, PORT), timeout=10) as connection:
		connection.settimeout(None)
		connection.sendall(HEAD.pack(0, len(command.encode())) + command.encode())
		threading.Thread(target=_send_input, args=(connection,), daemon=True).start()
		received = connection.makefile("rb")
		while head := received.read(HEAD.size):
			kind, number = HEAD.unpack(head)
			if kind == STATUS:
				return number
			out = sys.stdout.buffer if kind == OUTPUT else sys.stderr.buffer
			out.write(received.read(number))
			out.flush()
	return 255


def _send_input(connection: socket.socket) -> None:
	try:
		while part := os.read(0, AT_ONCE):
			connection.sendall(part)
		connection.shutdown(socket.SHUT_WR)
	except OSError:
		# The command has ended.
		pass


if __name__ == "__main__":
	if len(sys.argv) == 2:
		serve(sys.argv[1])
	else:
		sys.exit(ask(sys.argv[1], sys.argv[2]))
