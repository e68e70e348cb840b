# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the commands say as JSON is what they say in tables, and stands alone on stdout."""

import json
import re
import socket
import time
from datetime import datetime, timedelta, timezone

import frappe
import pytest

from read_replica import __version__
from read_replica.database.host import shared_of_site
from read_replica.engine.shared.request_counts import RequestTally
from read_replica.site import router_of_site
from read_replica.watch.job_findings import ago
from read_replica.watch.json_output import json_of
from read_replica.watch.reports import Scheduler, Servers
from support.bench import SITE, Sites
from support.tables import as_columns, columns

from ..conftest import full_form
from ..jobs.test_jobs import DAILY, HOURLY, rule, tick
from ..jobs.test_scheduled_runs import hourly
from .test_job_findings import minutes_pass, worker

__all__ = ["hourly"]

COMMANDS = ("status", "jobs", "servers", "queues", "writers", "methods")
HOST = socket.gethostname()
METHOD = "sample_app.api.writes"


def as_json(sites: Sites, *arguments: str) -> dict:
	"""What a command says with --json, as the only thing on stdout."""
	result = sites.run("--site", SITE, "read-replica", *arguments, "--json")
	assert result.returncode == 0, result.stderr
	found = json.loads(result.stdout)
	assert result.stdout.count("\n") == 1
	assert found["site"] == SITE and abs(datetime.now(timezone.utc) - time_of(found["at"])) < timedelta(
		minutes=1
	)
	return found


def in_words(sites: Sites, *arguments: str) -> str:
	return sites.bench("--site", SITE, "read-replica", *arguments)


def time_of(text: str) -> datetime:
	return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)


def roughly(texts: list[str]) -> list[str]:
	"""Texts without spaces, and without the seconds and minutes that pass between two commands."""
	return [re.sub(r"\d+(ms|s|min)", r"\1", re.sub(r"\s", "", text)) for text in texts]


def ends_with(said: str, sentences: list[str]) -> bool:
	[end], [all_of_it] = roughly(["".join(sentences)]), roughly([said])
	return bool(end) and all_of_it.endswith(end)


def test_status_says_the_same(hourly, monkeypatch, servers):
	# Without it, the problems have a sentence that names the database, and so its user.
	hourly.configure(replica_host=servers.replicas[0].host)
	tick(monkeypatch, "secondary")
	rule(HOURLY, "nowhere")
	router_of_site().share_counts()
	shared_of_site().forget()
	shared_of_site().add_writer(METHOD, time.time() + 3600)
	counts = {
		("replica02", "replica", "a"): 3,
		("replica02", "replica", "b"): 4,
		("primary", "writer", METHOD): 1,
	}
	shared_of_site().add_counts(
		{key: (count, 0.5) for key, count in counts.items()}, statements={"primary": 1, "replica02": 7}
	)
	servers.replicas[0].kill()
	try:
		found, said = as_json(hourly, "status"), in_words(hourly, "status")
	finally:
		servers.replicas[0].start()

	assert (found["routing"], found["routing_problem"]) == (True, None)
	assert f"Site {SITE}: read-only calls go to replicas" in said
	gone, alive = found["replicas"]
	assert gone["state"] == "down" and gone["error"].startswith("OperationalError 2")
	assert {gone[key] for key in ("lag_seconds", "as_of", "read_only", "servers", "behind_proxy")} == {None}
	assert alive["state"] == "up" and alive["error"] is None and alive["read_only"] is True
	assert 0 <= alive["lag_seconds"] < 60
	assert abs(time_of(found["at"]) - time_of(alive["as_of"])).total_seconds() < 60
	assert len(alive["servers"]) == 1 and alive["behind_proxy"] is False
	states = (f"down: {gone['error']}", f"up, {alive['lag_seconds'] * 1000:.0f} ms behind")
	assert roughly(columns(said, "Replica")) == roughly(
		as_columns(
			*(
				(row["name"], f"{row['host']}:{row['port']}", row["pool"], str(row["weight"]), state)
				for row, state in zip(found["replicas"], states, strict=True)
			)
		)
	)

	assert found["calls"] == [
		{"server": "primary", "reason": "writer", "count": 1},
		{"server": "replica02", "reason": "replica", "count": 7},
	]
	assert columns(said, "Answered by") == as_columns(
		*((row["server"], row["reason"], str(row["count"])) for row in found["calls"])
	)
	assert found["replica_share_percent"] == found["replica_share_of_last_hour_percent"] == 87.5
	assert "Replicas answered 87 % of the statements that read, and 87 % of those of the last hour." in said
	assert [row["method"] for row in found["writers"]] == [METHOD]
	assert columns(said, "Writes, stays on the primary") == writers_in(found)
	scheduler = found["scheduler"]
	assert (scheduler["server_id"], scheduler["host"]) == ("secondary", HOST)
	assert 0 <= scheduler["seconds_since_tick"] < 60
	assert any(sentence.startswith("Server 'nowhere': no server runs it") for sentence in found["problems"])
	where = f"The scheduler of this site runs on host {HOST} (server secondary); it last ticked 1 s ago."
	assert ends_with(said, [where, *found["problems"]])


def writers_in(found: dict) -> list[str]:
	return as_columns(
		*(
			(row["method"], row["table"] or "", f"{time_of(row['until']).astimezone():%Y-%m-%d %H:%M}")
			for row in found["writers"]
		)
	)


def test_status_says_the_same_where_no_replica_is_read(hourly, servers):
	hourly.configure(read_replica=full_form(servers, on_write="replica"))
	found, said = as_json(hourly, "status"), in_words(hourly, "status")
	assert found["routing"] is False and found["replicas"] == []
	assert found["routing_problem"].startswith("read_replica.on_write: ")
	assert roughly([found["routing_problem"]])[0] in roughly([said])[0]
	hourly.configure(read_replica=None)
	found = as_json(hourly, "status")
	assert (found["routing"], found["routing_problem"], found["scheduler"]) == (False, None, None)


def test_jobs_says_the_same(hourly, monkeypatch):
	rule(HOURLY, "secondary", takeover_after=60, reads="Replica", consistency="Strong", max_lag=2)
	rule(DAILY, "nowhere", takeover_after=0)
	tick(monkeypatch, "secondary")
	minutes_pass(185, ticking=())
	found, said = as_json(hourly, "jobs"), in_words(hourly, "jobs")
	rows = {row["job"]: row for row in found["jobs"]}
	frequency = frappe.db.get_value("Scheduled Job Type", {"method": HOURLY}, "frequency")
	assert rows[HOURLY] == {
		"job": HOURLY,
		"frequency": frequency,
		"server_id": "secondary",
		"rule_from": "desk",
		"takeover_after_seconds": 60,
		"reads": "replica",
		"consistency": "strong",
		"max_lag_seconds": 2,
		"stopped": False,
		"note": rows[HOURLY]["note"],
	}
	assert re.fullmatch(r"last seen 3 h ago; primary .*", rows[HOURLY]["note"])
	assert rows[DAILY]["stopped"] is True and rows[DAILY]["takeover_after_seconds"] is None
	assert rows[DAILY]["consistency"] is rows[DAILY]["max_lag_seconds"] is None
	assert any(row["frequency"].endswith("* * * *") for row in found["jobs"])
	assert (found["server_id"], found["server_id_is_set"]) == ("secondary", True)
	assert "This server is 'secondary' (SERVER_ID)." in said
	assert roughly(columns(said, "Job")) == roughly(as_columns(*map(row_of_job, found["jobs"])))
	assert columns(said, "Server")[0] == "".join(row["server_id"] for row in found["servers"])
	assert ends_with(said, found["problems"])

	monkeypatch.delenv("SERVER_ID")
	found = as_json(hourly, "jobs")
	assert (found["server_id"], found["server_id_is_set"]) == ("primary", False)


def row_of_job(row: dict) -> tuple[str, ...]:
	after, lag = row["takeover_after_seconds"], row["max_lag_seconds"]
	reads = [row["reads"], row["consistency"], None if lag is None else f"{lag:g} s behind at most"]
	return (
		row["job"],
		row["frequency"],
		row["server_id"],
		row["rule_from"],
		"never" if after is None else f"{after:g} s",
		", ".join(filter(None, reads)),
		"stopped" if row["stopped"] else row["note"] or "",
	)


def test_servers_says_the_same(hourly, monkeypatch):
	rule(HOURLY, "nowhere")
	with worker("default", "long"), worker("short"):
		tick(monkeypatch, "secondary")
	minutes_pass(185, ticking=("primary",))
	took_over("a", began_at="2026-01-02 10:00:00.250", ended_at=None)
	took_over("b", began_at="2026-01-01 10:00:00", ended_at="2026-01-01 11:30:00")
	found, said = as_json(hourly, "servers"), in_words(hourly, "servers")

	by_id = {row["server_id"]: row for row in found["servers"]}
	assert sorted(by_id) == ["nowhere", "primary", "secondary"]
	nobody, here, there = (by_id[server_id] for server_id in ("nowhere", "primary", "secondary"))
	assert {nobody[key] for key in ("host", "bench", "app_version", "workers_alive_at")} == {None}
	assert nobody["scheduler_alive_at"] is None and nobody["queues"] == [] and nobody["jobs"] == 1
	assert here["workers_alive_at"] is None and age_of(here["scheduler_alive_at"], found) < 60
	assert (there["host"], there["app_version"]) == (HOST, __version__)
	assert (there["workers"], there["queues"]) == (2, ["default", "long", "short"])
	assert 185 <= age_of(there["scheduler_alive_at"], found) / 60 < 190
	assert columns(said, "Server")[4].count("3hago") == 1
	assert roughly(columns(said, "Server")) == roughly(
		as_columns(
			*(
				(
					row["server_id"],
					row["host"] or "nobody runs it",
					row["bench"] or "",
					row["app_version"] or "",
					ago(age_of(row["scheduler_alive_at"], found)),
					ago(age_of(row["workers_alive_at"], found)),
					str(row["workers"]),
					", ".join(row["queues"]),
					str(row["jobs"]),
				)
				for row in found["servers"]
			)
		)
	)

	assert found["takeovers"] == [
		{
			"server_id": "a",
			"taken_by": "primary",
			"began_at": "2026-01-02T10:00:00.250Z",
			"ended_at": None,
			"runs": 3,
			"last_job": HOURLY,
		},
		{
			"server_id": "b",
			"taken_by": "primary",
			"began_at": "2026-01-01T10:00:00.000Z",
			"ended_at": "2026-01-01T11:30:00.000Z",
			"runs": 3,
			"last_job": HOURLY,
		},
	]
	assert columns(said, "Taken over from") == as_columns(
		("a", "primary", "2026-01-02 10:00", "", "3", HOURLY),
		("b", "primary", "2026-01-01 10:00", "2026-01-01 11:30", "3", HOURLY),
	)
	assert found["scheduler"]["server_id"] == "primary"
	assert ends_with(said, found["problems"])


def took_over(server_id: str, **values) -> None:
	row = {"doctype": "Job Takeover", "name": server_id, "server_id": server_id, "taken_by": "primary"}
	frappe.get_doc(row | {"runs": 3, "last_job": HOURLY} | values).db_insert()
	frappe.db.commit()


def age_of(time: str | None, found: dict) -> float | None:
	return None if time is None else (time_of(found["at"]) - time_of(time)).total_seconds()


def test_queues_says_the_same_and_what_was_written(hourly):
	rule(HOURLY, "secondary")
	hourly.configure_common(workers={"secondary": {"timeout": 9}})
	try:
		found, said = as_json(hourly, "queues", "third"), in_words(hourly, "queues", "third")
		assert without_head(found) == {
			"server_id": "primary",
			"wanted": ["primary", "secondary", "third"],
			"added": [],
			"missing": ["primary", "third"],
			"worker_command": "SERVER_ID=primary bench worker --queue primary,short,default,long",
		}
		assert (
			said == "Not in common_site_config.json yet: primary, third. To add them: the same with --write\n"
		)
		assert list(hourly.common()["workers"]) == ["secondary"]

		found = as_json(hourly, "queues", "third", "--write")
		assert (found["added"], found["missing"]) == (["primary", "third"], [])
		assert set(hourly.common()["workers"]) == set(found["wanted"])
		again, said = as_json(hourly, "queues", "third", "--write"), in_words(hourly, "queues", "third")
		assert without_head(again) == without_head(found) | {"added": []}
		assert said.startswith("primary, secondary, third: all have a queue in common_site_config.json.\n")
		assert f"\n  {found['worker_command']}\n" in said
		assert "Added to `workers` in common_site_config.json: fourth.\n" in in_words(
			hourly, "queues", "fourth", "--write"
		)
	finally:
		hourly.configure_common(workers=None)


def without_head(found: dict) -> dict:
	return {key: value for key, value in found.items() if key not in ("site", "at")}


def test_writers_says_the_same_and_how_many_were_cleared(site):
	assert without_head(as_json(site, "writers")) == {"cleared": None, "writers": []}
	assert in_words(site, "writers") == "No method was caught writing.\n"
	until = time.time() + 3600
	for number in (1, 2, 3):
		shared_of_site().add_writer(f"{METHOD}_{number}", until)
	found = as_json(site, "writers")
	assert [row["method"] for row in found["writers"]] == [f"{METHOD}_{number}" for number in (1, 2, 3)]
	assert all(abs(time_of(row["until"]).timestamp() - until) < 0.001 for row in found["writers"])
	assert columns(in_words(site, "writers"), "Writes, stays on the primary") == writers_in(found)

	found = as_json(site, "writers", "--clear", f"{METHOD}_2")
	assert found["cleared"] == 1
	assert [row["method"] for row in found["writers"]] == [f"{METHOD}_1", f"{METHOD}_3"]
	assert without_head(as_json(site, "writers", "--clear-all")) == {"cleared": 2, "writers": []}
	assert in_words(site, "writers", "--clear-all").startswith("0 cleared; ")


def test_methods_says_the_same_and_what_was_changed(site, servers):
	ruled, free = "my_app.api.ruled(Item)", "my_app.api.free"
	row = {"where": "replica", "consistency": "strong", "max_lag": 3, "pool": "reports", "timeout": 20}
	site.configure(read_replica=full_form(servers, methods={ruled: row, "my_app.api.other": "primary"}))
	router_of_site().share_counts()
	shared_of_site().forget()
	now, days = time.time(), 3 * 86400
	times = {"first_seen": now - days, "last_seen": now}
	shared_of_site().add_counts(
		{},
		{
			ruled: RequestTally(calls=3, seconds=1.5, writes=1, last_write=now, **times),
			free: RequestTally(calls=300, seconds=90, primary_seconds=72, **times),
		},
	)
	found, said = as_json(site, "methods"), in_words(site, "methods")
	rows = {row["method"]: row for row in found["rules"]}
	assert rows[ruled] == {
		"method": ruled,
		"reads": "replica",
		"rule_from": "site_config",
		"consistency": "strong",
		"max_lag_seconds": 3,
		"pool": "reports",
		"timeout_seconds": 20,
		"reason": None,
		"calls": 3,
		"seconds": 1.5,
		"has_written": True,
	}
	assert rows["my_app.api.other"]["calls"] is rows["my_app.api.other"]["has_written"] is None
	assert columns(said, "Method") == as_columns(*map(row_of_rule, found["rules"]))

	[suggestion] = found["suggestions"]
	assert (suggestion["method"], suggestion["calls"]) == (free, 300)
	assert suggestion["primary_seconds_per_hour"] == 1
	assert columns(in_words(site, "methods", "--suggest"), "Method") == as_columns((free, "300", "1.0"))

	try:
		found = as_json(site, "methods", "--set", free, "primary")
		assert found["changed"].startswith(f"{free}: primary. ")
		assert (found["rules"][0]["method"], found["rules"][0]["rule_from"]) == (free, "desk")
		assert in_words(site, "methods", "--set", free, "primary") == f"{found['changed']}\n"
	finally:
		frappe.db.rollback()
		frappe.delete_doc("Routed Method", frappe.db.get_value("Routed Method", {"method": free}))
		frappe.db.commit()


def row_of_rule(row: dict) -> tuple[str, ...]:
	lag, timeout = row["max_lag_seconds"], row["timeout_seconds"]
	asks = (
		row["consistency"],
		None if lag is None else f"{lag:g} s behind at most",
		row["pool"] and f"pool {row['pool']}",
		None if timeout is None else f"{timeout:g} s a statement",
	)
	return (
		row["method"],
		row["reads"],
		row["rule_from"],
		", ".join(filter(None, asks)),
		"" if row["calls"] is None else str(row["calls"]),
		"" if row["seconds"] is None else f"{row['seconds']:.1f}",
		{None: "", True: "yes", False: "no"}[row["has_written"]],
		row["reason"] or "",
	)


def test_what_frappe_and_other_apps_print_meanwhile_goes_to_stderr(site):
	# Each process then imports the apps' hooks, and Frappe prints each statement: to stdout, before v16.
	site.configure(developer_mode=1, logging=2)
	for command in COMMANDS:
		arguments = ("--site", SITE, "read-replica", command, "--json")
		result = site.run(*arguments, SAMPLE_APP_SAYS="here I am")
		assert json.loads(result.stdout)["site"] == SITE
		assert "utc_timestamp" in result.stderr
		# This one asks for no hooks.
		assert "here I am" in result.stderr or command == "writers"


def test_no_password_and_no_name_of_a_database_user_is_in_it(hourly, servers):
	[first, _] = full_form(servers)["replicas"]
	user = {"user": "somebody", "password": "s3cret-of-theirs"}
	hourly.configure(read_replica={"replicas": [first | user]})
	denied = "Access denied for user 'stranger'@'10.0.0.1'; User somebody already has more than 9 connections"
	run = {"doctype": "Scheduled Run", "name": "denied", "job": HOURLY, "attempts": 3}
	frappe.get_doc(run | {"last_error": denied}).db_insert()
	frappe.db.sql("update `tabScheduled Run` set claimed_at = utc_timestamp(6) where name = 'denied'")
	frappe.db.commit()
	said = " ".join(in_words(hourly, "status").split())
	assert '"replica_db_user": "somebody"' in said and "'stranger'@'10.0.0.1'" in said
	conf = hourly.config()
	for command in COMMANDS:
		text = hourly.run("--site", SITE, "read-replica", command, "--json").stdout
		for secret in (*user.values(), "stranger", conf["db_name"], conf["db_password"]):
			assert secret not in text
	sentences = "\n".join(as_json(hourly, "status")["problems"])
	assert '"replica_db_user": "…", "replica_db_password": "…"' in sentences
	assert "user '…'@'10.0.0.1'; User … already has" in sentences
	assert f'"replica_host": "{first["host"]}"' in sentences


def test_the_exit_status_is_the_same(site):
	for arguments in (("nobody.test", "read-replica", "status"), (SITE, "read-replica", "queues", "a b")):
		in_tables, with_json = (site.run("--site", *arguments, *more) for more in ((), ("--json",)))
		assert with_json.returncode == in_tables.returncode != 0
		assert not with_json.stdout.startswith("{")


def test_help_says_that_there_is_json(site):
	for command in COMMANDS:
		said = " ".join(in_words(site, command, "--help").split())
		assert "--json Print one JSON object" in said


def test_a_number_that_is_none_and_a_time_of_another_zone_are_written_as_the_docs_say():
	noon = datetime(2026, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=2)))
	report = Servers(SITE, noon, [], [], Scheduler("a", "b", float("inf")), ["of 'b', \"b\", `b` and b'"])
	assert json.loads(json_of(report, ["b"])) == {
		"site": SITE,
		"at": "2026-01-31T10:00:00.000Z",
		"servers": [],
		"takeovers": [],
		"scheduler": {"server_id": "a", "host": "b", "seconds_since_tick": None},
		"problems": ["of '…', \"…\", `…` and b'"],
	}
