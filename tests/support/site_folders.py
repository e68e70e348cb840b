# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The folders of one site on two app servers, as a bench has them."""

import json
import os
from pathlib import Path

CONFIG = {"db_name": "_1", "db_password": "secret", "encryption_key": "k", "limit": 5}

# Results of prepared reports, as each version of Frappe names them.
REPORTS = (
	"2026-12-3-4:11.json.gz",
	"general_ledger_2026-12-13-14-11.json.gz",
	"gl_2026-1-2-3-4.jsona1b2c3.gz",
)


def write(path: Path, text: str = "text") -> Path:
	"""Write a file, with the folders that it needs."""
	path.parent.mkdir(parents=True, exist_ok=True)
	path.write_text(text)
	return path


def site_there(folder: Path) -> Path:
	"""The site's folder on the primary's app server."""
	site = folder / "app1/sites/site.test"
	write(site / "site_config.json", json.dumps(CONFIG | {"db_host": "localhost"}))
	write(site / "public/files/logo.png", "logo")
	write(site / "private/files/deep/er/a b ü.pdf", "pdf")
	write(site / "private/files/data.json.gz", "an upload")
	for name in (
		"logs/web.log",
		"locks/bench_migrate.lock",
		"private/backups/b.sql.gz",
		"indexes/x/y",
		"z.db",
	):
		write(site / name, "theirs")
	write(site / "private/files" / REPORTS[0], "theirs")
	# Older than a second, which is all that a copy without the time could be told apart by.
	for path in site.rglob("*"):
		os.utime(path, (1_700_000_000, 1_700_000_000))
	return site


def site_here(folder: Path) -> Path:
	"""The site's folder on the second server, as it was made by hand."""
	site = folder / "app2/sites/site.test"
	site.mkdir(parents=True)
	write(site.parent / "common_site_config.json", json.dumps({"db_host": "db.example.com"}))
	return site
