# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import frappe
import pytest
from support.bench import SITE, Sites
from support.servers import Cluster, cluster


@pytest.fixture(scope="session")
def servers() -> Iterator[Cluster]:
	with cluster(replicas=2) as running:
		yield running


@pytest.fixture(scope="session")
def sites(servers: Cluster) -> Iterator[Sites]:
	with tempfile.TemporaryDirectory(prefix="rr-sites-") as folder:
		made = Sites(Path(folder), servers)
		before = Path.cwd()
		os.chdir(made.path)
		made.new_site()
		made.bench("--site", SITE, "install-app", "read_replica")
		servers.catch_up()
		yield made
		os.chdir(before)


def full_form(servers: Cluster, **changes) -> dict:
	replicas = [{"name": r.folder.name, "host": r.host, "port": r.port} for r in servers.replicas]
	return {"replicas": replicas} | changes


@pytest.fixture
def site(sites: Sites, servers: Cluster) -> Iterator[Sites]:
	"""The site in the full form of the configuration, connected, as a request would be."""
	for server in (servers.primary, *servers.replicas):
		server.thaw()
	sites.configure(read_replica=full_form(servers))
	connect()
	yield sites
	disconnect()


def connect(site: str = SITE) -> None:
	from read_replica.site import begin

	frappe.init(site=site, sites_path=".")
	frappe.connect()
	begin()


def disconnect() -> None:
	if frappe.local.db:
		frappe.db.rollback()
	frappe.destroy()
