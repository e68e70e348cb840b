# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Frappe keeps the contract of a Host."""

import frappe
import pytest

from read_replica.database.host import FrappeHost
from support.contract import HostContract


class TestFrappeHost(HostContract):
	@pytest.fixture
	def host(self, site):
		return FrappeHost(log_doctypes=lambda: ())

	@pytest.fixture
	def table(self):
		return "`tabToDo`"

	@pytest.fixture
	def log_table(self):
		return "tabError Log"


def test_only_host_py_assigns_frappe_local_db():
	import re
	from pathlib import Path

	import read_replica

	assigning = {
		path.name
		for path in Path(read_replica.__file__).parent.rglob("*.py")
		if re.search(r"^\s*(?:frappe\.)?local\.db = ", path.read_text(), re.MULTILINE)
	}
	# replica_switch.py undoes core's own assignment of a replica in maintenance mode.
	assert assigning <= {"host.py", "replica_switch.py"}
	assert frappe.local is not None
