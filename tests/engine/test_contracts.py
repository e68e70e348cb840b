# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The house is as it is drawn: rooms and their floors, no circles, types, and who may import what."""

import ast
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "read_replica"

# At the top: what is public, and what Frappe names.
TOP = {
	"__init__.py",
	"api.py",
	"commands.py",
	"desktop_icon",
	"hooks.py",
	"install.py",
	"lifecycle.py",
	"modules.txt",
	"patches",
	"patches.txt",
	"public",
	"read_replica",
	"routing.py",
	"scheduler_split.py",
	"site.py",
	"translations",
	"workspace_sidebar",
}
ROOMS = {"cache", "cli", "config", "core", "database", "deploy", "engine", "jobs", "policy", "watch"}
ROOMS_OF_ENGINE = {"dialect", "health", "replicas", "shared", "sticking"}

# Not imported before they are needed, as they cost each process of bench, or each request, time and memory.
LATE = {
	("read_replica.api", "read_replica.deploy.site_connection"),
	("read_replica.api", "read_replica.deploy.site_doctor"),
	("read_replica.api", "read_replica.watch.prometheus"),
	("read_replica.scheduler_split", "read_replica.watch.notices"),
	("read_replica.cli.app_server", "read_replica.deploy.second_server_report"),
	("read_replica.cli.app_server", "read_replica.deploy.site_second_server"),
	("read_replica.cli.replication", "read_replica.deploy.doctor"),
	("read_replica.cli.replication", "read_replica.deploy.replication_report"),
	("read_replica.cli.replication", "read_replica.deploy.site_replication"),
	("read_replica.cli.replication", "read_replica.deploy.site_user"),
	("read_replica.cli.second_server", "read_replica.core.core_keys"),
	("read_replica.cli.nginx", "read_replica.deploy.nginx_report"),
	("read_replica.cli.nginx", "read_replica.deploy.site_nginx"),
	("read_replica.cli.site", "read_replica.database.host"),
	("read_replica.cli.second_server", "read_replica.deploy.site_doctor"),
	("read_replica.cli.second_server", "read_replica.deploy.site_user"),
	("read_replica.cli.second_server", "read_replica.deploy.tables"),
	("read_replica.cli.second_server", "read_replica.watch.status"),
	("read_replica.cli.top", "read_replica.watch.top"),
	("read_replica.cli.top", "read_replica.watch.top_screen"),
	("read_replica.cli.sync", "read_replica.deploy.sync"),
	("read_replica.cli.sync", "read_replica.deploy.sync_command"),
	("read_replica.cli.sync", "read_replica.deploy.sync_report"),
	("read_replica.commands", "read_replica.jobs.heartbeat"),
	("read_replica.cli.site", "read_replica.jobs.queue_setup"),
	("read_replica.commands", "read_replica.jobs.schedulers"),
	("read_replica.commands", "read_replica.scheduler_split"),
	("read_replica.cli.site", "read_replica.policy.desk"),
	("read_replica.cli.site", "read_replica.watch.methods"),
	("read_replica.cli.group", "read_replica.watch.json_output"),
	("read_replica.cli.site", "read_replica.watch.status"),
	("read_replica.cli.site", "read_replica.watch.tables"),
}


@pytest.fixture(scope="module")
def graph():
	return grimp.build_graph("read_replica", cache_dir=None)


def run(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
	program = Path(sys.executable).parent / command[0]
	environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
	return subprocess.run(
		[program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
	)


def test_the_arrows_between_rooms_point_down_and_the_engine_knows_nobody():
	found = run("lint-imports", "--no-cache")
	assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
	("path", "line", "contract"),
	[
		("engine/scope.py", "import frappe", "The engine imports no frappe"),
		("engine/events.py", "from read_replica.config import settings", "The engine imports no frappe"),
		("engine/health/watchdog.py", "from read_replica.engine.router import Router", "own floors"),
		("engine/replicas/pool.py", "from read_replica.engine.sticking.session import Session", "own floors"),
		("cache/guard.py", "from read_replica.routing import primary", "Arrows point down"),
		("core/replacements.py", "from read_replica.site import has_app", "Arrows point down"),
		("database/log_tables.py", "from read_replica.config import settings", "Arrows point down"),
		("site.py", "from read_replica.jobs import enqueue", "Arrows point down"),
		("jobs/tick.py", "def late():\n\tfrom read_replica.watch import overdue", "Arrows point down"),
	],
)
def test_a_contract_is_broken_by_one_import_that_points_up(tmp_path, path, line, contract):
	shutil.copy(ROOT / "pyproject.toml", tmp_path)
	shutil.copytree(PACKAGE, tmp_path / "read_replica", ignore=shutil.ignore_patterns("__pycache__"))
	file = tmp_path / "read_replica" / path
	file.write_text(f"{file.read_text()}\n{line}\n")
	found = run("lint-imports", "--no-cache", folder=tmp_path)
	assert found.returncode == 1, found.stdout
	assert any(contract in row and row.endswith("BROKEN") for row in found.stdout.splitlines())


def test_no_files_import_each_other_in_a_circle(graph):
	imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
	TopologicalSorter(imports).prepare()


def modules() -> list[tuple[str, ast.Module]]:
	found = []
	for path in sorted(PACKAGE.rglob("*.py")):
		parts = path.relative_to(ROOT).with_suffix("").parts
		name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
		found.append((name, ast.parse(path.read_text())))
	return found


def imported(node: ast.AST, known: set[str]) -> list[str]:
	if isinstance(node, ast.Import):
		return [alias.name for alias in node.names if alias.name in known]
	if isinstance(node, ast.ImportFrom) and node.module:
		full = [f"{node.module}.{alias.name}" for alias in node.names]
		return [
			name if name in known else node.module for name in full if node.module.startswith("read_replica")
		]
	return []


def test_imports_that_wait_until_they_are_needed_are_those_that_cost():
	found = modules()
	known = {name for name, _ in found}
	late = set()
	for name, tree in found:
		for node in ast.walk(tree):
			if node not in tree.body:
				late |= {(name, target) for target in imported(node, known)}
	assert late == LATE


def test_the_engine_is_typed_strictly():
	found = run("mypy", "--strict", "--cache-dir", "/dev/null", "read_replica/engine")
	assert found.returncode == 0, found.stdout


def test_the_public_functions_outside_the_engine_are_annotated():
	bare = []
	for name, tree in modules():
		if name.startswith("read_replica.engine"):
			continue
		for node in tree.body:
			if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
				continue
			arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
			if node.returns is None or any(argument.annotation is None for argument in arguments):
				bare.append(f"{name}.{node.name}")
	# What click calls has the types that its options say.
	assert [name for name in bare if not name.startswith("read_replica.cli.")] == []


def test_at_the_top_stands_only_what_is_public_and_what_frappe_names():
	found = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
	assert found == TOP | ROOMS
	inside = {path.name for path in (PACKAGE / "engine").iterdir() if path.is_dir()} - {"__pycache__"}
	assert inside == ROOMS_OF_ENGINE


def test_the_folders_of_the_tests_are_rooms():
	# The pages of the desk are Frappe's: no room of the package has them.
	for folder, rooms in (("app", ROOMS | {"desk"}), ("engine", ROOMS_OF_ENGINE)):
		found = {path.name for path in (ROOT / "tests" / folder).iterdir() if path.is_dir()} - {"__pycache__"}
		assert found <= rooms


@pytest.mark.parametrize("room", sorted(ROOMS | {f"engine.{room}" for room in ROOMS_OF_ENGINE}))
def test_a_room_says_what_it_is_for_and_names_the_files_that_others_import(graph, room):
	package = f"read_replica.{room}"
	text = ast.get_docstring(ast.parse((PACKAGE / room.replace(".", "/") / "__init__.py").read_text()))
	assert text and ("Uses" in text or "imports" in text) and ("Offers" in text or room == "engine.dialect")
	offered = set()
	for name in graph.modules:
		if name != package and not name.startswith(f"{package}."):
			for target in graph.find_modules_directly_imported_by(name):
				if target.startswith(f"{package}."):
					offered.add(target.removeprefix(f"{package}.").split(".")[0])
	missing = {name for name in offered if name not in text}
	assert not missing, f"{package} does not say that others use {sorted(missing)}"
