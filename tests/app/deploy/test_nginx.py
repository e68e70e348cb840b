# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command derives a front nginx's file from the rules that the site has, and changes nothing when it is run again."""

import json

import pytest

from support.bench import SITE
from support.front import bench_file

SERVER = ("--server", "10.0.0.3:8000")


@pytest.fixture
def command(configured, tmp_path):
	"""Runs `nginx --json` on a file in the shape that bench makes, and returns what it says."""
	source = tmp_path / "nginx.conf"
	source.write_text(bench_file(tmp_path, 80, 8000))

	def command(*options: str, exits: int = 0) -> dict:
		result = configured.run(
			"--site", SITE, "read-replica", "nginx", "--json", "--source", str(source), *options
		)
		assert result.returncode == exits, result.stdout + result.stderr
		return json.loads(result.stdout) if result.stdout else {"error": result.stderr}

	command.source = source
	command.derived = tmp_path / "nginx-read-replica.conf"
	return command


def test_it_writes_the_file_once_and_knows_the_server_from_then_on(command):
	assert "--server" in command(exits=1)["error"]
	said = command(*SERVER, "--dry-run")
	assert said["diff"] and not said["has_changed"] and not command.derived.exists()
	assert not command(*SERVER, "--check", exits=1)["is_current"]
	said = command(*SERVER)
	assert said["has_changed"] and said["path"] == str(command.derived)
	assert f"ln -sfn {command.derived} /etc/nginx/conf.d/mybench.conf" in said["commands"][0]
	again = command()
	assert (again["diff"], again["has_changed"], again["is_current"]) == ("", False, True)
	assert again["server"] == "10.0.0.3:8000" and command("--check")["is_current"]
	command.source.write_text(command.source.read_text().replace("120", "300"))
	assert "proxy_read_timeout 300" in command("--check", exits=1)["diff"]
	before = command.derived.read_text()
	assert "10.0.0.4:8000 big" in command("--server", "10.0.0.4:8000", "--name", "big", "--dry-run")["diff"]
	assert command.derived.read_text() == before


def test_what_is_sent_is_what_the_rules_of_the_site_and_cores_own_decorators_say(command, configured):
	said = command(*SERVER)
	decorated = (
		"frappe.desk.query_report.run",
		"frappe.desk.reportview.get",
		"frappe.desk.reportview.get_count",
	)
	exports = ("frappe.desk.query_report.export_query", "frappe.desk.reportview.export_query")
	shipped = ("frappe.desk.search.search_link", "/api/resource", "/api/v2/document")
	assert {*decorated, *exports, *shipped} <= set(said["routed"])
	assert not any(name.startswith("frappe.desk.form.save") for name in said["routed"])
	left_out = {left["rule"]: left["reason"] for left in said["left_out"]}
	assert "page" in left_out["/app"] and "works for" in left_out["frappe.client.get(Dashboard Chart)"]
	assert "frappe\\.desk\\.reportview\\.(?:get|" in command.derived.read_text()
	methods = {
		"frappe.desk.reportview.get": "primary",
		"frappe.desk.query_report.run": "primary",
		"sample_app.api.*": "replica",
		"/api/resource(Item)": "primary",
		"frappe.desk.form.save.savedocs": "replica",
	}
	configured.configure(read_replica=configured.config()["read_replica"] | {"methods": methods})
	routed = set(command()["routed"])
	assert "sample_app.api.*" in routed
	assert not routed & {*decorated[:2], exports[0], "frappe.desk.form.save.savedocs"}
	assert {decorated[2], exports[1]} <= routed
	assert "resource/Item\\?$' 0;" in command.derived.read_text()
