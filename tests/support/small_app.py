# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A small HTTP server in the place of an app server: notes each request that it begins and each that it has answered.

Run as a program: `small_app.py NAME PORT LOG`. A request says in X-Test-Seconds how long it takes, in X-Test-Id how it
is called, and in X-Test-Status and X-Test-File how it is answered.
"""

import asyncio
import json
import os
import sys


async def serve(name: str, port: int, log: int) -> None:
	async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
		try:
			await answer(name, log, reader, writer)
		except (ConnectionError, asyncio.IncompleteReadError):
			pass
		finally:
			writer.close()

	server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=512)
	await server.serve_forever()


async def answer(name: str, log: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
	head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
	headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in head[1:] if line)}
	body = await reader.readexactly(int(headers.get("content-length", 0)))
	number = headers.get("x-test-id", "")
	note(log, "begun", number)
	await asyncio.sleep(float(headers.get("x-test-seconds", 0)))
	said = json.dumps({"name": name, "request": head[0], "headers": headers, "body": body.decode()}).encode()
	lines = [f"HTTP/1.1 {headers.get('x-test-status', '200')} Said", f"Content-Length: {len(said)}"]
	lines += ["Connection: close", "Content-Type: application/json"]
	if "x-test-file" in headers:
		lines.append(f"X-Accel-Redirect: {headers['x-test-file']}")
	writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + said)
	await writer.drain()
	note(log, "done", number)


def note(log: int, what: str, number: str) -> None:
	if number:
		os.write(log, f"{what} {number}\n".encode())


if __name__ == "__main__":
	log = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
	asyncio.run(serve(sys.argv[1], int(sys.argv[2]), log))
