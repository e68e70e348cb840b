# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The plain Host keeps the contract, and the engine needs nothing beside it."""

import subprocess
import sys

import pytest

from support.contract import HostContract


class TestPlainHost(HostContract):
	@pytest.fixture
	def table(self, shop):
		return "stock"

	@pytest.fixture
	def log_table(self):
		return "log"


def test_the_engine_imports_no_frappe():
	program = (
		"import importlib, pkgutil, sys\n"
		"sys.modules['frappe'] = None\n"  # an import of it fails
		"import read_replica.engine as engine\n"
		"names = [m.name for m in pkgutil.walk_packages(engine.__path__, 'read_replica.engine.')]\n"
		"[importlib.import_module(name) for name in names]\n"
		"print(len(names))"
	)
	result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
	assert result.returncode == 0, result.stderr
	assert int(result.stdout) > 10
