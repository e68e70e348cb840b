# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The plan of a server is written once, and says what is left to do for the program that runs its processes."""

from pathlib import Path

import pytest

from read_replica.deploy import server_plan, server_role
from read_replica.deploy.server_plan import BenchFolder, Plan
from read_replica.deploy.server_role import Role

SECOND = Role("secondary", False, ("primary",))


@pytest.fixture
def bench(tmp_path, monkeypatch) -> BenchFolder:
	for name in ("conf.d", "systemd"):
		(tmp_path / name).mkdir()
	monkeypatch.setattr(server_plan, "SUPERVISOR_FOLDERS", (tmp_path / "conf.d",))
	monkeypatch.setattr(server_plan, "SYSTEMD_FOLDER", tmp_path / "systemd")
	(tmp_path / "erp" / "config").mkdir(parents=True)
	return BenchFolder(tmp_path / "erp")


def written(plan: Plan, bench: BenchFolder) -> set[str]:
	plan.write()
	return {str(change.path.relative_to(bench.config)) for change in plan.changes}


def test_links_are_asked_for_until_supervisor_reads_them(bench, tmp_path):
	(bench.config / "supervisor.conf").write_text("[program:erp-frappe-web]\ncommand=gunicorn\n")
	plan = server_plan.lay_over(bench, SECOND, [])
	links = [step.split()[-2:] for step in plan.todo if step.startswith("sudo ln -s")]
	assert len(links) == 2
	assert written(plan, bench) == {server_role.FILE, "read-replica-supervisor.conf"}
	for file, link in links:
		Path(link).symlink_to(file)
	again = server_plan.lay_over(bench, SECOND, [])
	assert not again.changes and not [step for step in again.todo if "ln -s" in step]


def test_a_bench_of_systemd_gets_its_files_and_is_told_of_workers_that_bench_does_not_make(bench, tmp_path):
	(tmp_path / "systemd" / "erp-frappe-web.service").touch()
	plan = server_plan.lay_over(bench, SECOND, ["secondary"])
	assert written(plan, bench) == {
		server_role.FILE,
		"read-replica-systemd/erp-.service.d/read-replica.conf",
		"read-replica-systemd/erp-frappe-primary-worker.service.d/read-replica.conf",
		"read-replica-systemd/erp-frappe-schedule.service.d/read-replica.conf",
	}
	assert "erp-frappe-secondary-worker.service" in plan.todo[-1]
	(tmp_path / "systemd" / "erp-frappe-secondary-worker.service").touch()
	again = server_plan.lay_over(bench, SECOND, ["secondary"])
	assert not again.changes and "Make a unit" not in " ".join(again.todo)
	first, *_ = server_plan.lay_over(bench, Role("secondary", True, ("primary",)), []).todo
	assert first.startswith("rm ") and first.count("erp-frappe-schedule.service.d/read-replica.conf") == 2


def test_a_bench_of_neither_is_told_where_the_server_id_goes(bench):
	[step] = server_plan.lay_over(bench, SECOND, []).todo
	assert "SERVER_ID=secondary" in step and ".env" in step


def test_a_role_is_read_as_it_was_kept_and_a_missing_or_broken_one_says_what_to_do(bench):
	with pytest.raises(ValueError, match="--offer FILE"):
		server_role.read(bench.config)
	role = Role("primary", True, ("secondary",), ("redis-cache",), "10.0.0.2", "db:3306:1")
	server_role.change(bench.config, role).write()
	assert server_role.read(bench.config) == role
	(bench.config / server_role.FILE).write_text('{"server_id": "x"}')
	with pytest.raises(ValueError, match="cannot be read"):
		server_role.read(bench.config)


@pytest.mark.parametrize(
	"text", ["", "[program:other-frappe-web]\ncommand=x\n", "command=x\n"], ids=["empty", "other", "broken"]
)
def test_a_file_of_supervisor_without_programs_of_this_bench_is_refused(bench, text):
	(bench.config / "supervisor.conf").write_text(text)
	with pytest.raises(ValueError, match=r"supervisor\.conf"):
		server_plan.lay_over(bench, SECOND, [])
