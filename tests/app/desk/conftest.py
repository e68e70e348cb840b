# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.bench import ADMIN_PASSWORD
from support.desk_bench import DeskBench, built_assets, complete_setup, link_assets
from support.desk_browser import Desk, chromium

from ..conftest import full_form


@pytest.fixture(scope="session")
def browser() -> Iterator:
	if not shutil.which("chromium"):
		pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
	with chromium() as running:
		yield running


@pytest.fixture(scope="module")
def desk_bench(sites, servers) -> Iterator[DeskBench]:
	"""A web server for the site of these tests, which reads from both replicas."""
	assets = built_assets()
	if not assets:
		pytest.skip("The bench has built no assets: bench build")
	link_assets(sites, assets.parents[1])
	complete_setup()
	before = sites.config()
	sites.configure(read_replica=full_form(servers))
	redis = f"redis://127.0.0.1:{servers.redis.port}"
	with tempfile.TemporaryDirectory(prefix="rr-desk-") as folder:
		server = DeskBench(
			Path(folder) / "bench",
			sites,
			"primary",
			servers.redis.port,
			redis_cache=redis,
			redis_socketio=redis,
		)
		try:
			server.start("web")
			yield server
		finally:
			server.stop()
			sites.write_config(before)


@pytest.fixture
def desk(browser, desk_bench) -> Iterator[Callable[..., Desk]]:
	"""Opens a browser for a user; each is closed at the test's end."""
	opened: list[Desk] = []

	def log_in(user: str = "Administrator", password: str = ADMIN_PASSWORD, **options) -> Desk:
		opened.append(Desk(browser, desk_bench, **options))
		return opened[-1].log_in(user, password)

	yield log_in
	for one in opened:
		one.close()
