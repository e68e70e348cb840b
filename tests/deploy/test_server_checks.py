# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Servers that have noted the same are right; of each fact that differs, the one check of it names the other server."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from read_replica.deploy import doctor, server_checks
from read_replica.deploy.server_checks import AppServers
from read_replica.deploy.server_notes import ServerNote, digest_of_key, digests_of_config
from support.docs import Page

NOW = datetime(2026, 3, 1, 12)
KEY = "k" * 44
CONFIG = {
	"db_name": "site",
	"db_password": "secret",
	"db_host": "10.0.0.1",
	"encryption_key": KEY,
	"limit": 5,
}
FACTS = {
	"redis_cache": "a1",
	"redis_queue": "b2",
	"bench_id": "bench",
	"database": "1 on db:3306",
	"seconds_ahead": 0.1,
	"apps": {"frappe": "15.101.1", "erpnext": "15.99.1"},
	"assets": "c3",
	"server_ids": ["secondary"],
	"encryption_key": digest_of_key(KEY),
	"site_config": digests_of_config(CONFIG, KEY),
}
OWN = ServerNote("app1", "/home/frappe/bench", NOW, FACTS)
OTHER = ServerNote("app2", "/home/frappe/bench", NOW - timedelta(hours=5), FACTS)
BOTH = AppServers(OWN, [OTHER], ["app1", "app2"])


def wrong(servers: AppServers) -> dict[str, tuple[str, str]]:
	found = doctor.run(server_checks.CHECKS, servers)
	return {one.id: (one.status, one.seen) for one in found if one.status not in ("ok", "skipped")}


def with_facts(**changes) -> AppServers:
	facts = {name: value for name, value in (FACTS | changes).items() if value is not None}
	return replace(BOTH, others=[replace(OTHER, facts=facts)])


def test_two_servers_that_have_noted_the_same_are_right():
	found = doctor.run(server_checks.CHECKS, BOTH)
	assert [(one.id, one.status) for one in found if one.status != "ok"] == [("nginx-is-current", "skipped")]


@pytest.mark.parametrize(
	("id", "changes", "said"),
	[
		("same-database", {"database": "1 on app2:3306"}, "another database server"),
		("same-redis-cache", {"redis_cache": "d4"}, "another redis_cache"),
		("same-redis-queue", {"redis_queue": "d4"}, "reaches no browser"),
		("same-bench-id", {"bench_id": "other"}, "another bench_id"),
		(
			"same-versions",
			{"apps": {"frappe": "15.100.0"}},
			"erpnext missing (here 15.99.1), frappe 15.100.0",
		),
		("same-assets", {"assets": "d4"}, "another assets.json"),
		("app-clocks", {"seconds_ahead": -7.2}, "is 7 s behind the primary's"),
		("app-clocks", {"seconds_ahead": 7.2}, "is 7 s ahead of the primary's"),
	],
)
def test_a_server_that_differs_is_named_by_the_check_of_that_fact_alone(id, changes, said):
	found = wrong(with_facts(**changes))
	assert found.keys() == {id}
	assert "app2 (/home/frappe/bench)" in found[id][1] and said in found[id][1]


def test_other_values_in_the_site_config_are_named_by_their_keys_and_never_shown():
	there = CONFIG | {"limit": 6, "db_password": "other", "db_host": "10.0.0.9", "more": 1}
	[(id, (status, seen))] = wrong(with_facts(site_config=digests_of_config(there, KEY))).items()
	assert (id, status) == ("same-site-config", "warn")
	assert "other values of db_password, limit, more" in seen and "10.0.0.9" not in seen


def test_with_another_encryption_key_only_that_is_said():
	other = {"encryption_key": digest_of_key("other"), "site_config": digests_of_config(CONFIG, "other")}
	assert wrong(with_facts(**other)).keys() == {"same-encryption-key"}


def test_nothing_secret_can_be_read_from_a_note_or_guessed_without_the_key():
	digests = digests_of_config(CONFIG, KEY)
	assert "secret" not in str(digests) and "encryption_key" not in digests
	assert digests["db_password"] != digests_of_config(CONFIG, "another key")["db_password"]
	assert KEY not in digest_of_key(KEY)


def test_processes_with_different_server_ids_and_two_servers_without_one_are_named():
	def at(own: list[str], there: list[str]) -> AppServers:
		other = replace(OTHER, facts=FACTS | {"server_ids": there})
		return replace(BOTH, own=replace(OWN, facts=FACTS | {"server_ids": own}), others=[other])

	assert wrong(at(["primary"], ["secondary"])) == {}
	assert wrong(at(["primary", "secondary"], ["third"])).keys() == {"app-server-ids"}
	assert (
		"app2 (/home/frappe/bench) is primary as well"
		in wrong(at(["primary"], ["primary"]))["app-server-ids"][1]
	)


def test_a_front_nginx_that_is_older_than_benchs_own_file_is_named():
	assert wrong(replace(BOTH, is_nginx_outdated=False)) == {}
	assert wrong(replace(BOTH, is_nginx_outdated=True)).keys() == {"nginx-is-current"}


def test_a_fact_that_a_server_could_not_find_out_is_not_compared():
	assert wrong(with_facts(redis_queue=None, apps=None, site_config=None)) == {}
	own = replace(OWN, facts={name: value for name, value in FACTS.items() if name != "assets"})
	found = {one.id: one for one in doctor.run(server_checks.CHECKS, replace(BOTH, own=own))}
	assert found["same-assets"].status == "skipped" and "app1" in found["same-assets"].seen


def test_a_server_alone_is_compared_with_nobody_and_says_so():
	alone = AppServers(OWN)
	assert wrong(alone) == {}
	found = {one.id: one for one in doctor.run(server_checks.CHECKS, alone)}
	assert "no other server has noted itself" in found["same-database"].seen


def test_a_server_that_never_noted_itself_or_not_for_a_week_is_named():
	assert "app3 runs jobs" in wrong(replace(BOTH, hosts_with_jobs=["app3"]))["servers-noted"][1]
	old = replace(OTHER, noted_at=NOW - timedelta(days=8))
	found = wrong(replace(BOTH, others=[replace(old, facts=FACTS | {"assets": "d4"})]))
	assert found.keys() == {"servers-noted"} and "8 days ago" in found["servers-noted"][1]


@pytest.mark.parametrize("id", ["files-are-here", "prepared-reports-are-here"])
def test_files_that_this_server_should_have_are_named(id):
	missing = {id: [f"/files/{number}.png" for number in range(7)]}
	found = wrong(replace(BOTH, missing=missing))
	assert found.keys() == {id} and "/files/4.png and 2 more" in found[id][1]


def test_each_check_is_explained_where_its_link_leads():
	page = Page("docs/doctor.md")
	for one in server_checks.CHECKS:
		assert one.id in page.anchors and one.expected in page.text and one.fix in page.text
