# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One address with several servers behind it: a TCP proxy that leads each new connection to the next one."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from support.servers import MariaDB, free_port


class OneAddress:
	"""A port of 127.0.0.1, as HAProxy and other load balancers offer it. `servers` may change at any time."""

	host = "127.0.0.1"

	def __init__(self, servers: list[MariaDB]):
		self.servers = list(servers)
		self.port = free_port()
		self._turn = 0
		self._loop = asyncio.new_event_loop()
		self._tasks: set[asyncio.Task] = set()
		self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

	def start(self) -> None:
		self._thread.start()
		listening = asyncio.start_server(self._lead, self.host, self.port)
		self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)

	def stop(self) -> None:
		asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
		self._loop.call_soon_threadsafe(self._loop.stop)
		self._thread.join(10)
		self._loop.close()

	async def _end(self) -> None:
		self._server.close()
		for task in self._tasks:
			task.cancel()
		await asyncio.gather(*self._tasks, return_exceptions=True)

	def next_server(self) -> MariaDB:
		server = self.servers[self._turn % len(self.servers)]
		self._turn += 1
		return server

	async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
		server = self.next_server()
		self._tasks.add(asyncio.current_task())
		with contextlib.suppress(OSError, asyncio.CancelledError):
			try:
				its_reader, its_writer = await asyncio.open_connection(server.host, server.port)
			except OSError:
				writer.close()
				return
			try:
				await self._between(server, reader, writer, its_reader, its_writer)
			finally:
				writer.close()
				its_writer.close()

	async def _between(self, server, reader, writer, its_reader, its_writer) -> None:
		there = asyncio.ensure_future(pass_on(reader, its_writer))
		back = asyncio.ensure_future(pass_on(its_reader, writer))
		try:
			await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
		finally:
			there.cancel()
			back.cancel()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
	while data := await reader.read(65536):
		writer.write(data)
		await writer.drain()


@contextlib.contextmanager
def one_address(*servers: MariaDB) -> Iterator[OneAddress]:
	"""An address that leads to these servers in turn."""
	address = OneAddress(list(servers))
	address.start()
	try:
		yield address
	finally:
		address.stop()
