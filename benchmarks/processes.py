# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Forked processes that work for the benchmarks, as workers of a program do."""

import multiprocessing
import os
import traceback
from collections.abc import Callable
from typing import Any

_context = multiprocessing.get_context("fork")


class Worker:
	"""A forked process that runs `work`, on some cores only if they are given."""

	def __init__(self, work: Callable[[], Any], cores: list[int] | None = None):
		self._reader, self._writer = _context.Pipe(duplex=False)
		self._process = _context.Process(target=self._run, args=(work, cores), daemon=True)
		self._process.start()
		self._writer.close()

	def _run(self, work: Callable[[], Any], cores: list[int] | None) -> None:
		if cores:
			os.sched_setaffinity(0, cores)
		try:
			self._writer.send((work(), None))
		except BaseException:
			self._writer.send((None, traceback.format_exc()))

	@property
	def pid(self) -> int:
		return self._process.pid

	def result(self, seconds: float) -> Any:
		"""What the work has returned; waits up to `seconds` for it.

		:raises RuntimeError: with the traceback of the process, if the work has failed
		:raises TimeoutError: if it is not done
		"""
		if not self._reader.poll(seconds):
			raise TimeoutError(f"Process {self.pid} was not done after {seconds:.0f} s")
		returned, failure = self._reader.recv()
		if failure:
			raise RuntimeError(failure)
		return returned

	def end(self) -> None:
		self._process.kill()
		self._process.join()


def event() -> Any:
	"""An event that a process and those forked from it share."""
	return _context.Event()
