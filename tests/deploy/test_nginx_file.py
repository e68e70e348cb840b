# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The derived file keeps bench's own line by line, is refused where bench's is another, and knows when it is outdated."""

import difflib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from read_replica.deploy import nginx_file, nginx_source
from read_replica.deploy.nginx_file import Reporting, reporting_server
from read_replica.deploy.nginx_rules import Policy, Rule, visible
from read_replica.deploy.nginx_source import NginxError
from support.front import bench_file

REPORTING = Reporting("10.0.0.3:8000", "reporting")
SEEN = visible(Policy(lambda name, subject: True, [[Rule("frappe.client.get_list", "replica")]]))
TEXT = bench_file(Path("/srv/bench"), 80, 8000)


def derived(text: str = TEXT) -> str:
	return nginx_file.derived(nginx_source.read(text, "nginx.conf"), SEEN, REPORTING)


def test_of_benchs_lines_only_the_fallbacks_are_changed():
	changes = list(difflib.ndiff(TEXT.splitlines(), derived().splitlines()))
	gone = [line[2:].strip() for line in changes if line.startswith("- ")]
	assert len(gone) == 2 and all(
		line.startswith("try_files") and line.endswith("@webserver;") for line in gone
	)
	come = [line[2:].strip() for line in changes if line.startswith("+ ")]
	fallback = "@$read_replica_mybench_location;"
	assert [line for line in come if line.startswith("try_files")] == [
		line.replace("@webserver;", fallback) for line in gone
	]


def test_the_same_file_comes_of_the_same_source():
	assert derived() == derived()


def test_each_server_block_gets_its_own_locations_and_one_of_another_kind_none():
	block = TEXT[TEXT.index("server {") :]
	redirect = "server {\n\tlisten 81;\n\treturn 301 https://$host$request_uri;\n}\n"
	made = derived(TEXT + redirect + block.replace("listen 127.0.0.1:80", "listen 127.0.0.1:82"))
	assert made.count("location @read_replica {") == made.count("location @webserver {") == 2
	assert made.count("upstream read_replica_mybench {") == 1 and redirect in made


def test_what_bench_writes_for_its_app_server_holds_for_the_reporting_server_as_well():
	made = derived(TEXT.replace("proxy_redirect off;", "proxy_redirect off; proxy_set_header X-Own 'a b;';"))
	location = made[made.index("location @read_replica {") :]
	location = location[: location.index("}")]
	for line in ("proxy_set_header X-Own 'a b;';", "proxy_read_timeout 120;", "proxy_set_header Host $host;"):
		assert line in location
	assert (
		"proxy_next_upstream_timeout 108s;" in location
		and "proxy_pass http://read_replica_mybench;" in location
	)


@pytest.mark.parametrize(
	("wrong", "said"),
	[
		("", "has no server with a location @webserver"),
		(TEXT.replace("@webserver", "@other"), "bench setup nginx"),
		(
			TEXT.replace("http://mybench-frappe", "http://127.0.0.1:8000"),
			"has to be one upstream of this file",
		),
		(TEXT.replace("proxy_pass  http://mybench-frappe;", ""), "has 0 proxy_pass"),
		(TEXT.replace("proxy_read_timeout 120", "proxy_read_timeout 1m30s"), "no whole number of seconds"),
		(TEXT.replace("proxy_read_timeout 120", "proxy_read_timeout 1"), "less than 2 s"),
		(TEXT.replace("\tlocation @webserver", "\tsendfile on; location @webserver"), "holds more than"),
		(TEXT.replace("$uri @webserver;", "$uri\n@webserver;"), "no whole try_files"),
		(TEXT[:-3], "nginx.conf cannot be read"),
	],
)
def test_a_file_that_is_not_as_bench_makes_it_is_refused_with_what_to_do(wrong, said):
	with pytest.raises(NginxError, match=said):
		derived(wrong)


def test_a_file_is_outdated_once_bench_has_changed_its_own():
	made = derived()
	assert not nginx_file.is_outdated(made, TEXT)
	assert nginx_file.is_outdated(made, TEXT.replace("120", "300"))
	assert nginx_file.reporting_server_of(made) == REPORTING
	with pytest.raises(NginxError, match="was not made by"):
		nginx_file.is_outdated(TEXT, TEXT)


@pytest.mark.parametrize(
	("given", "address"), [("10.0.0.3:8000", "10.0.0.3:8000"), ("[fd00:0::3]:8000", "[fd00::3]:8000")]
)
def test_an_address_is_an_ip_address_with_a_port(given, address):
	assert reporting_server(given, "reporting") == Reporting(address, "reporting")


@pytest.mark.parametrize(
	"given", ["app2:8000", "10.0.0.3", "10.0.0.3:", "10.0.0.3:0", "10.0.0.3:80;", "10.0.0.3:8000 backup", ""]
)
def test_no_other_address_is_taken(given):
	with pytest.raises(NginxError):
		reporting_server(given, "reporting")


@pytest.mark.parametrize("name", ["", "app", "a b", "x;", "$host"])
def test_a_name_is_one_that_can_stand_in_a_log(name):
	with pytest.raises(NginxError):
		reporting_server("10.0.0.3:8000", name)


def test_gixy_finds_nothing_in_the_derived_file_that_is_not_benchs_own(tmp_path):
	of_bench = findings(tmp_path, TEXT)
	assert findings(tmp_path, derived()) == of_bench
	# It does find what would drop bench's headers.
	trap = derived().replace("location @read_replica {", "location @read_replica {\nadd_header X-Own 1;")
	assert findings(tmp_path, trap) == of_bench | {
		"add_header_redefinition": of_bench["add_header_redefinition"] + 1
	}


def findings(folder: Path, text: str) -> dict[str, int]:
	"""In how many locations gixy finds each kind of trouble."""
	file = folder / "nginx.conf"
	file.write_text(f"events {{}}\nhttp {{\n{text}\n}}\n")
	program = Path(sys.executable).parent / "gixy"
	found = subprocess.run([program, "-f", "json", file], capture_output=True, text=True, timeout=60)
	return {one["plugin"]: one["config"].count("location ") for one in json.loads(found.stdout)}
