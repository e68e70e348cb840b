# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A site with ERPNext on a bench that exists, and a web server for each way in which it is to be walked through.

All of them have the same database. Each has a configuration and a Redis of its own, so that none finds in its cache
what another one has put there.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import frappe

from benchmarks import desk_data
from support.bench import SITE, Sites
from support.desk_bench import link_assets
from support.frappe_request import connected
from support.production import ProductionBench
from support.servers import Cluster, Redis

APPS = ("frappe", "erpnext", "read_replica")


class DeskServer(ProductionBench):
	"""gunicorn, with what nginx does for it, and its own site_config.json.

	:param read_replica: the site's configuration of this app
	:param requests: a file that notes each request; then they are answered one after the other
	"""

	application = "benchmarks.desk_app:application"

	def __init__(
		self,
		folder: Path,
		of: Sites,
		server_id: str,
		redis: Redis,
		read_replica: dict,
		requests: Path | None = None,
	):
		url = f"redis://127.0.0.1:{redis.port}"
		super().__init__(folder, of, server_id, redis.port, redis_cache=url, redis_socketio=url)
		self.requests = requests
		if requests:
			self.threads, self.environment = 1, {"DESK_REQUEST_LOG": str(requests)}
		config = folder / "sites" / SITE / "site_config.json"
		config.unlink()
		config.write_text(json.dumps(of.config() | {"read_replica": read_replica}))


@dataclass(frozen=True)
class WalkSite:
	"""The site, and what the walk needs to know of it."""

	sites: Sites
	database: str
	# Documents to open, by doctype.
	documents: dict[str, str]
	workspaces: list[str]


@contextmanager
def walk_site(servers: Cluster, bench: Path) -> Iterator[WalkSite]:
	"""Make the site, with its year of data; nothing serves it yet."""
	before = Path.cwd()
	with tempfile.TemporaryDirectory(prefix="rr-walk-") as name:
		sites = Sites(Path(name), servers, apps=APPS)
		link_assets(sites, bench)
		os.chdir(sites.path)
		try:
			sites.new_site()
			for app in APPS[1:]:
				sites.bench("--site", SITE, "install-app", app, timeout=600)
			with connected():
				documents = desk_data.fill()
				workspaces = frappe.get_all("Workspace", filters={"public": 1, "is_hidden": 0}, pluck="name")
				database = frappe.conf.db_name
			for replica in servers.replicas:
				replica.catch_up(servers.primary, timeout=120)
			yield WalkSite(sites, database, documents, workspaces)
		finally:
			os.chdir(before)


@contextmanager
def desk_servers(
	site: WalkSite, ways: Mapping[str, dict], folder: Path, noted: bool = False
) -> Iterator[dict[str, DeskServer]]:
	"""A running web server for each way, by its name.

	:param ways: the configuration of this app for each
	:param noted: whether their requests are noted, and answered one after the other
	"""
	with ExitStack() as stack:
		started = {}
		for name, settings in ways.items():
			own = folder / name
			(own / "redis").mkdir(parents=True)
			redis = Redis(own / "redis")
			redis.start()
			stack.callback(redis.kill)
			requests = own / "requests.jsonl" if noted else None
			server = DeskServer(own / "bench", site.sites, name, redis, settings, requests)
			stack.callback(server.stop)
			server.start("web")
			started[name] = server
		yield started
