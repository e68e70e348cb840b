# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Maps dotted paths of older versions, which a running site still has in its data, to where they are now.

Frappe keeps hooks in its cache until the next migrate, and queues hold jobs by the dotted path of their
function. Servers of a site may also have different versions for a while, and put jobs into each other's
queues: so the path of a scheduled run, `read_replica.execution.run_once`, is written like this for ever.
"""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Moved in version 0.2.
MODULES = {
	"read_replica.annotations": "read_replica.jobs.annotations",
	"read_replica.execution": "read_replica.jobs.execution",
	"read_replica.metrics_access": "read_replica.watch.metrics_access",
}
ATTRIBUTES = {
	"read_replica.site.begin": "read_replica.lifecycle",
	"read_replica.site.end": "read_replica.lifecycle",
	"read_replica.site.note_asker": "read_replica.lifecycle",
}


def install() -> None:
	"""Let Python import moved modules under their old names; once per process."""
	if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
		sys.meta_path.append(_Finder())


def attribute(module: str, name: str) -> Any:
	"""Returns a function that has moved out of a module.

	:raises AttributeError: if the module never had one of this name
	"""
	if place := ATTRIBUTES.get(f"{module}.{name}"):
		return getattr(import_module(place), name)
	raise AttributeError(f"module {module!r} has no attribute {name!r}")


class _Finder(MetaPathFinder):
	"""Finds modules that have moved. The last in sys.meta_path, so that it finds what no other one does."""

	def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
		return ModuleSpec(fullname, _Loader()) if fullname in MODULES else None


class _Loader(Loader):
	"""Makes a module that forwards each access to the new one, so that the state of that exists only once."""

	def create_module(self, spec: ModuleSpec) -> ModuleType:
		module = ModuleType(spec.name)
		place = MODULES[spec.name]
		module.__getattr__ = lambda name: getattr(import_module(place), name)  # type: ignore[method-assign]
		return module

	def exec_module(self, module: ModuleType) -> None:
		"""Nothing to run."""
