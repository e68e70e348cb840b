# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The docs hold what they say: keys, defaults, commands, links, paths and code blocks, held against the code."""

import ast
import json
import os
import re
import shlex
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import pytest
import tomllib

import read_replica
from read_replica.config import settings
from read_replica.config.checks import TLS_KEYS
from read_replica.config.keys import SOURCE_KEYS
from read_replica.deploy import reports
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import DEFAULTS, Consistency, Endpoint, Need, Settings
from read_replica.watch.reports import REPORTS, Report
from support import docs
from support.docs import PACKAGE, ROOT, Page, column

PAGES = docs.pages()
BY_PATH = {page.path: page for page in PAGES}
CONFIGURATION, JOBS = BY_PATH["docs/configuration.md"], BY_PATH["docs/jobs.md"]
METRICS, ARCHITECTURE = BY_PATH["docs/metrics.md"], BY_PATH["docs/architecture.md"]
SECOND_SERVER = BY_PATH["docs/second-server.md"]
DOCTOR = BY_PATH["docs/doctor.md"]
SYNC = BY_PATH["docs/sync.md"]

# The rules for jobs, beside what the settings are made from.
KEYS_OF_JOBS = ("scheduler_config", "scheduler_takeover_after")
KEYS_OF_RULES = docs.literal("jobs/rule_sources.py", "KEYS")
KEYS_THAT_NAME_A_REPLICA = re.compile("(read_from_replica|use_slave|slave_|replica_|different_credentials).*")

MOST_LINES_OF_README = 150
KINDS_OF_CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
TOP_FOLDERS = ("benchmarks", "demo", "docs", "read_replica", "tests")
SUFFIXES = (".py", ".md", ".toml", ".sh", ".txt", ".html", ".yaml")

every_page = pytest.mark.parametrize("page", PAGES, ids=str)


# Text and links


def test_the_readme_is_short():
	assert len(BY_PATH["README.md"].text.splitlines()) <= MOST_LINES_OF_README


def test_the_readme_leads_to_every_page():
	linked = {link.partition("#")[0] for link in BY_PATH["README.md"].links}
	assert {page.path for page in PAGES} - {"README.md"} <= linked


@every_page
def test_each_link_leads_to_a_file_and_a_heading(page):
	for link in page.links:
		if link.startswith("https://"):
			continue
		path, _, anchor = unquote(link).partition("#")
		target = (ROOT / page.path).parent / path if path else ROOT / page.path
		assert target.exists(), f"{link} leads nowhere"
		if anchor:
			found = Page(str(target.resolve().relative_to(ROOT.resolve())))
			assert anchor in found.anchors, f"{link} names no heading"


@every_page
def test_no_two_headings_of_a_page_have_one_anchor(page):
	if page.path != "CHANGELOG.md":
		assert len(set(page.anchors)) == len(page.anchors)


# Names of the code


@every_page
def test_each_dotted_path_of_the_app_exists(page):
	for name in re.findall(r"\bread_replica(?:\.[A-Za-z_]\w*)+", page.text):
		if name != "read_replica.log":
			assert docs.exists(name), f"{name} is nowhere"


@every_page
def test_each_file_and_folder_that_is_named_exists(page):
	for word in page.code:
		if _is_path_of_ours(word):
			assert _places(page, word), f"{word} is nowhere"


def _is_path_of_ours(word: str) -> bool:
	if not re.fullmatch(r"\.?[\w-][\w./-]*", word) or word.startswith((".venv", "sites/", "apps/", "logs/")):
		return False
	return word.endswith((*SUFFIXES, "/")) or ("/" in word and word.split("/")[0] in TOP_FOLDERS)


def _places(page: Page, word: str) -> list[Path]:
	folders = (ROOT, PACKAGE, (ROOT / page.path).parent)
	return [folder / word for folder in folders if (folder / word).exists()]


@every_page
def test_the_rooms_and_files_in_pictures_exist(page):
	for picture in page.blocks(""):
		for word in re.findall(r"\b[a-z_]+(?:/|\.py\b)", picture):
			assert _places(page, word) or (PACKAGE / "engine" / word).exists(), f"{word} is nowhere"


@every_page
def test_each_command_of_bench_exists_with_its_options(page):
	commands = docs.bench_commands()
	named = re.findall(r"read-replica ([a-z]+(?:-[a-z]+)*)((?: +--?[a-z-]+)*)", page.text)
	named += [word.split(" ", 1) for word in page.code if word.split(" ")[0] in commands and " --" in word]
	for command, given in named:
		assert command in commands, f"bench read-replica has no {command}"
		for option in re.findall(r"--[a-z-]+", given):
			assert option in commands[command], f"{command} has no {option}"


@every_page
def test_each_name_that_begins_as_the_app_is_a_metric_or_the_hook(page):
	known = {*docs.metrics()} | {
		docs.literal(file, "HOOK") for file in ("database/log_tables.py", "policy/sources.py")
	}
	for name in re.findall(r"(?<![\w/])read_replica_\w+", page.text):
		assert name in known, f"{name} is nowhere"


# Code blocks


@every_page
def test_json_blocks_are_configurations_that_the_app_takes(page):
	for block in page.blocks("json"):
		conf = json.loads(block)
		assert set(conf) <= {*SOURCE_KEYS, *KEYS_OF_JOBS}, block
		made = settings.settings_from({"db_name": "site"} | conf)
		names_one = any(KEYS_THAT_NAME_A_REPLICA.fullmatch(key) for key in conf)
		if names_one or "replicas" in conf.get("read_replica", {}):
			assert made and made.replicas, block
		for rule in conf.get("scheduler_config", ()):
			assert {"job", "server_id"} <= set(rule) <= set(KEYS_OF_RULES), block
			assert rule.get("reads", "primary") in ("primary", "replica"), block
			Need(consistency=rule.get("consistency"), max_lag=rule.get("max_lag"))


@every_page
def test_json_within_the_text_can_be_read(page):
	for word in page.code:
		if re.fullmatch(r"[{\[].*[}\]]", word):
			json.loads(word)


@every_page
def test_python_compiles_and_uses_what_the_app_offers(page):
	inline = [word for word in page.code if word.startswith(("from ", "import "))]
	for block in (*page.blocks("python"), *inline):
		for node in ast.walk(ast.parse(block)):
			if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "read_replica":
				for alias in node.names:
					assert docs.exists(f"{node.module}.{alias.name}"), f"{alias.name} cannot be imported"
			if isinstance(node, ast.Call) and ast.unparse(node.func) == "read_only":
				Need(**{keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords})


@every_page
def test_shell_blocks_call_what_is_there(page):
	for line in "".join(page.blocks("sh")).splitlines():
		words = shlex.split(line, comments=True)
		while words and re.match(r"[A-Z_]+=", words[0]):
			words.pop(0)
		for at, word in enumerate(words):
			if word.split("/")[0] in TOP_FOLDERS and "/" in word:
				assert (ROOT / word).exists(), f"{word} is nowhere"
				assert at > 0 or os.access(ROOT / word, os.X_OK), f"{word} cannot be run"


@every_page
def test_each_block_says_its_language_or_is_a_picture(page):
	for block in page.blocks(""):
		assert re.search("[─━]", block), block


# Configuration


def test_the_table_of_keys_has_every_key_with_its_default():
	[table] = CONFIGURATION.tables("Keys of the full form")
	assert sorted(column(table)) == sorted(settings.KNOWN_KEYS)
	defaults = {key: value for key, value in asdict(DEFAULTS).items() if value is not None}
	defaults |= {key: getattr(Settings(), key) for key in settings.LIMIT_KEYS}
	shown = {row[0].code[0]: row[1].text for row in table}
	assert {key: shown[key] for key in defaults} == {
		key: json.dumps(value) for key, value in defaults.items()
	}


def test_the_table_of_a_replicas_keys_has_every_key_with_its_default():
	[table] = CONFIGURATION.tables("Keys of a replica")
	assert sorted(column(table)) == sorted(settings.REPLICA_KEYS)
	shown = {row[0].code[0]: row[1].text for row in table}
	defaults = {f.name: f.default for f in fields(Endpoint) if f.name in ("port", "weight", "pool")}
	assert {key: shown[key] for key in defaults} == {
		key: json.dumps(value) for key, value in defaults.items()
	}


def test_the_keys_of_tls_are_named():
	for key in TLS_KEYS:
		assert f'"{key}"' in CONFIGURATION.text


def test_the_keys_of_core_and_the_original_ones_are_named():
	named = {word for word in CONFIGURATION.code if KEYS_THAT_NAME_A_REPLICA.fullmatch(word)}
	assert named == {key for key in SOURCE_KEYS if KEYS_THAT_NAME_A_REPLICA.fullmatch(key)}


def test_the_arguments_of_the_decorator_and_their_words_are_all_there():
	arguments, consistencies = CONFIGURATION.tables("Arguments of the decorator")
	assert column(arguments) == [field.name for field in fields(Need)]
	assert [json.loads(word) for word in column(consistencies)] == list(get_args(Consistency))


def test_the_shortest_token_is_said():
	assert f"{settings.SHORTEST_TOKEN} characters or more" in CONFIGURATION.text


# Jobs


def test_the_fields_of_a_rule_are_those_of_the_desk():
	path = PACKAGE / "read_replica/doctype/scheduler_config/scheduler_config.json"
	doctype = json.loads(path.read_text())
	labels = {field["fieldname"]: field["label"] for field in doctype["fields"]}
	[table] = JOBS.tables("Rules")
	assert [row[0].text for row in table] == [labels[name] for name in doctype["field_order"]]


def test_the_keys_of_a_rule_are_those_of_the_configuration():
	[table] = JOBS.tables("Rules in site_config.json")
	assert column(table) == list(KEYS_OF_RULES)


# What is watched


def test_the_table_of_metrics_has_each_metric_with_its_labels():
	[table] = METRICS.tables("Prometheus")
	assert {row[0].code[0]: list(row[1].code) for row in table} == docs.metrics()


def test_the_tables_of_reasons_have_all_that_are_counted():
	named = [word for table in METRICS.tables("Reasons") for word in column(table)]
	assert sorted(named) == sorted(Reason[name].value for name in docs.reasons_that_are_counted())


def test_the_table_of_the_log_has_all_its_events():
	[table] = METRICS.tables("The log")
	assert sorted(column(table)) == sorted(docs.events())


def test_each_command_of_bench_is_explained():
	for command in docs.bench_commands():
		assert f"read-replica {command}" in METRICS.text


def test_each_command_of_bench_has_a_report_and_prints_it_as_json():
	assert {*REPORTS, *reports.REPORTS} == set(docs.bench_commands())
	for command, options in docs.bench_commands().items():
		assert "--json" in options, f"{command} has no --json"


def test_the_tables_of_json_have_all_keys_of_each_report():
	first, *tables = [column(table) for table in METRICS.tables("As JSON")]
	assert first == docs.keys_of(Report)
	assert tables == [docs.keys_of(report, without=report.__base__) for report in REPORTS.values()]


def test_the_tables_of_the_second_server_have_all_keys_of_each_report():
	tables = [column(table) for page in (SECOND_SERVER, DOCTOR, SYNC) for table in page.tables("As JSON")]
	assert sorted(tables) == sorted(docs.keys_of(report) for report in reports.REPORTS.values())


# Architecture


def test_each_room_has_its_heading():
	rooms = [path.parent.relative_to(PACKAGE) for path in PACKAGE.glob("*/__init__.py")]
	rooms += [path.parent.relative_to(PACKAGE) for path in (PACKAGE / "engine").glob("*/__init__.py")]
	for room in rooms:
		assert f"{room}/" in ARCHITECTURE.headings


def test_each_file_of_the_code_has_its_row():
	files = {str(path.relative_to(PACKAGE)) for path in docs.sources()}
	without = {path for path in files if path.endswith("__init__.py") or path.startswith("read_replica/")}
	rows = {
		word
		for heading in set(ARCHITECTURE.headings)
		for table in ARCHITECTURE.tables(heading)
		for word in column(table)
	}
	assert not files - without - rows


def test_the_layers_are_those_of_the_contracts():
	contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
	for contract in contracts:
		for container in contract.get("containers", ()):
			[block] = ARCHITECTURE.blocks(f"layers {container}")
			assert block.splitlines() == contract["layers"]


def test_the_doctypes_are_all_there():
	[table] = ARCHITECTURE.tables("What is kept where")
	folders = [path.parent.name for path in (PACKAGE / "read_replica/doctype").glob("*/__init__.py")]
	assert sorted(row[0].text.lower().replace(" ", "_") for row in table) == sorted(folders)


def test_the_table_of_what_is_replaced_in_core_has_all_of_it():
	[table] = ARCHITECTURE.tables("What is replaced in core")
	named = {word.rpartition(".")[2] for word in column(table)}
	assert named - {"read_from_replica"} == docs.replaced_in_core()


# The project


def test_the_changelog_begins_with_this_version_in_the_usual_form():
	page = BY_PATH["CHANGELOG.md"]
	versions = [heading for heading in page.headings if heading.startswith("[")]
	assert versions[0].startswith(f"[{read_replica.__version__}] - ")
	for version in versions:
		assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d|Unreleased)", version)
	assert set(page.headings) - {"Changelog", *versions} <= KINDS_OF_CHANGES


def test_the_variables_of_the_tests_are_explained():
	[table] = BY_PATH["CONTRIBUTING.md"].tables("Variables")
	assert set(column(table)) >= docs.environment_variables()
	for name in column(table):
		if name.startswith("READ_REPLICA_"):
			assert name in docs.environment_variables()


def test_the_tag_of_a_release_is_shown_with_this_version():
	for name in re.findall(r"git tag.* v([\d.]+)", BY_PATH["CONTRIBUTING.md"].text):
		assert name == read_replica.__version__
