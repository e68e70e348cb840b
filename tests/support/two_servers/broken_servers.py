# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is broken in turn between the app servers: their configuration, files, versions, clocks and nginx."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from read_replica.deploy import sync_stamp
from support.two_servers.broken import Breakage, Mend, both_again, by_person, printed_command
from support.two_servers.network import FIRST, SECOND
from support.two_servers.pair import SITE, Pair

STAY = "import signal; signal.sigwait({signal.SIGTERM})"
FILE = "/files/of-the-first.txt"
REPORT = "/private/files/of-the-first.json.gz"


def _on_second(**keys: Any) -> Callable[[Pair], None]:
	"""Returns what sets keys of the second server's common_site_config.json."""
	return lambda pair: pair.second.set_common(**keys)


def _same_common(key: str) -> Callable[[Pair], None]:
	return lambda pair: pair.second.set_common(**{key: pair.first.common()[key]})


def _other_encryption_key(pair: Pair) -> None:
	pair.second.set_site(SITE, encryption_key="b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMTI=")


def _same_encryption_key(pair: Pair) -> None:
	pair.second.set_site(SITE, encryption_key=pair.site_config()["encryption_key"])


def _other_value(pair: Pair) -> None:
	pair.first.set_site(SITE, max_file_size=int(time.time()))
	pair.doctor(pair.first)


def _noted(**facts: Any) -> Callable[[Pair], None]:
	"""Returns what changes the first server's note, as if it had noted that itself."""

	def note(pair: Pair) -> None:
		table = f"`{pair.database}`.`tabServer Note`"
		[[known]] = pair.primary.query(f"SELECT facts FROM {table} WHERE host = 'app1'")
		text = json.dumps(json.loads(known) | facts)
		pair.primary.query(f"UPDATE {table} SET facts = %s WHERE host = 'app1'", (text,))

	return note


def _again(says: str) -> Mend:
	"""Returns what somebody does on the first server before its doctor is run there again."""
	return by_person(lambda pair: pair.doctor(pair.first), says=says)


def _forget_first(pair: Pair) -> None:
	pair.primary.query(f"DELETE FROM `{pair.database}`.`tabServer Note` WHERE host = 'app1'")


def _build_assets(pair: Pair) -> None:
	path = pair.second.sites / "assets" / "assets.json"
	path.write_text(path.read_text() + "\n")


def _copy_assets(pair: Pair) -> None:
	text = (pair.first.sites / "assets" / "assets.json").read_text()
	(pair.second.sites / "assets" / "assets.json").write_text(text)


def _without_server_id(pair: Pair) -> None:
	pair.stray = pair.second.begin(
		"python3", "-c", STAY, "frappe", "worker", folder=pair.second.bench_folder / "sites"
	)


def _find_and_end(pair: Pair) -> None:
	said = pair.command(pair.second, "second-server --check", exits=1)
	[wrong] = [proof for proof in said["proofs"] if not proof["passed"]]
	assert wrong["server"].startswith("worker") and "none" in wrong["seen"], wrong
	pair.second.do(f"kill {wrong['server'].split()[1]}")
	pair.stray.wait(20)


def _setup_nginx(pair: Pair) -> None:
	path = pair.first.config / "nginx.conf"
	path.write_text(path.read_text() + "\n# another site\n")


def _with_row(url: str, attached_to: str | None = None) -> Callable[[Pair], None]:
	"""Returns what uploads a file to the first server an hour ago."""

	def upload(pair: Pair) -> None:
		folder = "private" if url.startswith("/private") else "public"
		(pair.first.sites / SITE / folder / "files" / url.rpartition("/")[2]).write_text("text")
		pair.primary.query(
			f"INSERT INTO `{pair.database}`.tabFile (name, creation, modified, file_url, is_folder,"
			" attached_to_doctype) VALUES (%s, NOW() - INTERVAL 1 DAY, NOW(), %s, 0, %s)",
			(url.rpartition("/")[2], url, attached_to),
		)

	return upload


def _share(pair: Pair) -> None:
	name = REPORT.removeprefix("/")
	(pair.second.sites / SITE / name).write_text((pair.first.sites / SITE / name).read_text())


def _old_stamp(pair: Pair) -> None:
	path = pair.second.sites / SITE / sync_stamp.NAME
	stamp = json.loads(path.read_text())
	path.write_text(json.dumps(stamp | {"at": time.time() - 3600}))


BREAKAGES: Sequence[Breakage] = (
	Breakage(
		"servers-noted",
		"the doctor has not run on the first server",
		_forget_first,
		printed_command("first"),
		on="second",
	),
	Breakage(
		"same-database",
		"the first server writes elsewhere",
		_noted(database="1 on elsewhere:3306"),
		_again("Give db_host"),
		on="second",
	),
	Breakage(
		"same-versions",
		"the first server has an older Frappe",
		_noted(apps={}),
		_again("Update all servers"),
		on="second",
	),
	Breakage(
		"app-clocks",
		"the first server's clock is late",
		_noted(seconds_ahead=-30.0),
		_again("chrony"),
		on="second",
	),
	Breakage(
		"same-bench-id",
		"the second server has its own",
		_on_second(bench_id="another"),
		by_person(_same_common("bench_id"), says="Write the same bench_id"),
		on="second",
	),
	Breakage(
		"same-encryption-key",
		"the second server has its own",
		_other_encryption_key,
		by_person(_same_encryption_key, says="Copy encryption_key"),
		on="second",
	),
	Breakage(
		"same-site-config",
		"a key was changed on the first server",
		_other_value,
		printed_command("second"),
		on="second",
	),
	Breakage(
		"same-assets",
		"the second server has built its own",
		_build_assets,
		by_person(_copy_assets, says="copy sites/assets"),
		on="second",
	),
	Breakage(
		"app-server-ids",
		"a worker has none",
		_without_server_id,
		by_person(_find_and_end, says="second-server --check says which"),
		on="second",
	),
	Breakage("nginx-is-current", "bench has written its own anew", _setup_nginx, printed_command("first")),
	Breakage(
		"files-are-here",
		"one was uploaded to the first server",
		_with_row(FILE),
		printed_command("second"),
		on="second",
	),
	Breakage(
		"prepared-reports-are-here",
		"one was generated on the first server",
		_with_row(REPORT, "Prepared Report"),
		by_person(_share, says="share the folder"),
		on="second",
	),
	Breakage("synced-lately", "an hour ago", _old_stamp, printed_command("second"), on="second"),
	Breakage(
		"replica-is-another-server",
		"db_host leads the second server to its own MariaDB",
		_on_second(db_host=SECOND),
		by_person(_on_second(db_host=FIRST), both_again),
		on="second",
	),
)
