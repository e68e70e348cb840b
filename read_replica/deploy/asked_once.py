# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Asks a server each question once, whichever of the doctor's checks needs the answer first."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from read_replica.deploy.doctor import Skipped


class AskedOnce(ABC):
	"""A server that checks ask side by side."""

	def __init__(self) -> None:
		self._lock = threading.Lock()
		self._known: dict[str, Any] = {}

	def _once(self, name: str, ask: Callable[[Any], Any]) -> Any:
		"""Returns what `ask` has found, or raises the reason why it could not be asked."""
		with self._lock:
			if name not in self._known:
				self._known[name] = self._ask(ask)
		found = self._known[name]
		if isinstance(found, Skipped):
			raise found
		return found

	@abstractmethod
	def _ask(self, ask: Callable[[Any], Any]) -> Any:
		"""Call `ask` with a connection; returns what it returns, or a Skipped."""
