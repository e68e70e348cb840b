# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A throwaway site for a bench that exists: its code and its environment, but nothing of its own.

The site, its configuration and its logs stand in a temporary folder that Frappe takes for the bench's
`sites`; the database is a test server, and so is Redis. Nothing is written into the bench.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from support.servers import ROOT_PASSWORD, Cluster

SITE = "routed.test"
ADMIN_PASSWORD = "admin"


class Sites:
	"""A `sites` folder beside `apps`, and empty `logs` and `config`, as a bench has them."""

	def __init__(self, folder: Path, servers: Cluster, apps: tuple[str, ...]):
		import frappe

		self.servers = servers
		self.path = folder / "bench" / "sites"
		for name in ("apps", "sites/assets", "logs", "config/pids"):
			(folder / "bench" / name).mkdir(parents=True)
		# v14 looks for an app's commands there, in the folder and not in the package.
		(folder / "bench" / "apps" / "frappe").symlink_to(Path(frappe.__file__).parents[1])
		(folder / "bench" / "apps" / "read_replica").symlink_to(Path(__file__).parents[2])
		# v14 looks there for what an app adds to bench.
		(folder / "bench" / "apps" / "sample_app").symlink_to(Path(__file__).parent / "sample_app")
		(self.path / "apps.txt").write_text("\n".join(apps) + "\n")
		redis = f"redis://127.0.0.1:{servers.redis.port}"
		self.write_common(
			db_host="127.0.0.1",
			db_port=servers.primary.port,
			redis_cache=redis,
			redis_queue=redis,
			redis_socketio=redis,
			default_site=SITE,
			server_script_enabled=1,
			allow_tests=1,
			ignore_csrf=1,
			# v16 has two drivers.
			use_mysqlclient=int(os.environ.get("FRAPPE_USE_MYSQLCLIENT", 1)),
		)

	def write_common(self, **keys) -> None:
		self.write_common_into(self.path, keys)

	@staticmethod
	def write_common_into(folder: Path, keys: dict) -> None:
		(folder / "common_site_config.json").write_text(json.dumps(keys))

	def common(self) -> dict:
		return json.loads((self.path / "common_site_config.json").read_text())

	def configure_common(self, **keys) -> None:
		"""Set keys of the bench's configuration; None takes one out."""
		merged = self.common() | keys
		self.write_common(**{key: value for key, value in merged.items() if value is not None})
		_forget_config()

	def config(self, site: str = SITE) -> dict:
		return json.loads((self.path / site / "site_config.json").read_text())

	def configure(self, site: str = SITE, **keys) -> None:
		"""Set keys of a site's configuration; None takes one out."""
		merged = self.config(site) | keys
		self.write_config({key: value for key, value in merged.items() if value is not None}, site)

	def write_config(self, keys: dict, site: str = SITE) -> None:
		(self.path / site / "site_config.json").write_text(json.dumps(keys))
		_forget_config()

	def bench(self, *arguments: str, timeout: float = 300, **environment: str) -> str:
		"""Run a bench command as the bench's CLI does, and return what it printed."""
		result = self.run(*arguments, timeout=timeout, **environment)
		if result.returncode:
			raise AssertionError(f"bench {' '.join(arguments)} failed:\n{result.stdout}\n{result.stderr}")
		return result.stdout + result.stderr

	def run(
		self, *arguments: str, timeout: float = 300, **environment: str
	) -> subprocess.CompletedProcess[str]:
		"""Run a bench command as the bench's CLI does, whatever becomes of it."""
		return self.run_with_input("", *arguments, timeout=timeout, **environment)

	def run_with_input(
		self, typed: str, *arguments: str, timeout: float = 300, **environment: str
	) -> subprocess.CompletedProcess[str]:
		"""The same, with what somebody types."""
		return subprocess.run(
			[sys.executable, "-m", "frappe.utils.bench_helper", "frappe", *arguments],
			cwd=self.path,
			env=os.environ | environment,
			input=typed,
			capture_output=True,
			text=True,
			timeout=timeout,
		)

	def new_site(self, site: str = SITE, **environment: str) -> None:
		"""Make a site whose database user may log in from the test servers' addresses."""
		import frappe

		# v14 has no --mariadb-user-host-login-scope and makes users for localhost only without it.
		scope = (
			["--no-mariadb-socket"]
			if frappe.__version__.startswith("14")
			else ["--mariadb-user-host-login-scope=%"]
		)
		self.bench(
			"new-site",
			site,
			"--db-host=127.0.0.1",
			f"--db-port={self.servers.primary.port}",
			"--db-root-username=root",
			f"--db-root-password={ROOT_PASSWORD}",
			f"--admin-password={ADMIN_PASSWORD}",
			*scope,
			timeout=900,
			**environment,
		)


def _forget_config() -> None:
	"""v16 keeps what it has read for a minute."""
	import frappe

	if hasattr(frappe, "config") and hasattr(frappe.config, "clear_site_config_cache"):
		frappe.config.clear_site_config_cache()
