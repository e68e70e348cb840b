# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a server changes of bench's own files is taken up by supervisord and systemd, and stays when bench writes its files anew."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from read_replica.deploy import bench_programs, overlays, processes
from read_replica.deploy.server_role import Role
from support.supervised_bench import SupervisedBench

SECOND = Role("secondary", has_scheduler=False, other_queues=("primary",))
QUEUES = ("primary", "secondary")


@pytest.fixture
def bench(tmp_path) -> Iterator[SupervisedBench]:
	made = SupervisedBench(tmp_path, *QUEUES)
	made.start()
	made.settled()
	yield made
	made.stop()


def lay_over(bench: SupervisedBench, role: Role = SECOND) -> None:
	programs = bench_programs.read(bench.config / "supervisor.conf", "erp")
	link = overlays.link_behind(overlays.bench_link(bench.config, (bench.conf_d,)))
	link.write_text(overlays.for_supervisor(programs, role))


def kinds(bench: SupervisedBench) -> list[tuple[str, str | None]]:
	return sorted(((one.kind, one.server_id) for one in processes.of_bench(bench.folder)), key=str)


def test_each_process_has_its_server_id_and_neither_scheduler_nor_others_queues_run(bench):
	assert ("scheduler", None) in kinds(bench) and ("web", None) in kinds(bench)
	# Those of another bench on this machine are not told.
	assert processes.of_bench(bench.folder.parent) == []
	lay_over(bench)
	assert "ERROR" not in bench.ctl("reread")
	bench.ctl("update")
	states = bench.settled()
	assert states["frappe-schedule"] in ("STOPPED", "EXITED")
	assert states["frappe-primary-worker-0"] in ("STOPPED", "EXITED")
	assert kinds(bench) == [("web", "secondary"), *[("worker", "secondary")] * 3]


@pytest.mark.parametrize("what", ["erp-workers:", "all"])
def test_a_restart_of_groups_starts_no_scheduler(bench, what):
	lay_over(bench)
	bench.ctl("reread")
	bench.ctl("update")
	bench.settled()
	bench.ctl("restart", what)
	assert bench.settled()["frappe-schedule"] == "EXITED"
	assert [kind for kind, _ in kinds(bench)].count("worker") == 3
	assert "scheduler" not in [kind for kind, _ in kinds(bench)]


def test_gunicorn_listens_for_another_servers_nginx_as_well_and_believes_it(bench):
	role = Role("secondary", True, web_address="10.77.0.2", front="10.77.0.1")
	lay_over(bench, role)
	bench.ctl("reread")
	bench.ctl("update")
	bench.settled()
	[web] = [psutil.Process(one.pid) for one in processes.of_bench(bench.folder) if one.kind == "web"]
	assert "-b 127.0.0.1:1 -b 10.77.0.2:1 frappe.app:application" in " ".join(web.cmdline())
	assert web.environ()["FORWARDED_ALLOW_IPS"] == "127.0.0.1,10.77.0.1"
	programs = bench_programs.read(bench.config / "supervisor.conf", "erp")
	programs.commands["frappe-web"] = "gunicorn -b unix:/run/erp.sock frappe.app:application"
	with pytest.raises(ValueError, match="listens on no port"):
		overlays.for_supervisor(programs, role)


def test_it_stays_when_bench_writes_its_file_anew_with_another_queue(bench):
	lay_over(bench)
	bench.ctl("reread")
	bench.ctl("update")
	bench.generate(*QUEUES, "reports")
	assert "ERROR" not in bench.ctl("reread")
	bench.ctl("update")
	bench.ctl("restart", "erp-workers:")
	states = bench.settled()
	assert states["frappe-reports-worker-0"] == "RUNNING"
	assert states["frappe-schedule"] == "EXITED"
	assert ("worker", "secondary") in kinds(bench) and ("scheduler", None) not in kinds(bench)


def test_variables_that_somebody_has_given_a_program_stay(bench):
	file = bench.config / "supervisor.conf"
	given = 'environment=KEPT="a,b%%",\n  SERVER_ID="old"\n'
	file.write_text(
		file.read_text().replace("[program:erp-frappe-web]\n", f"[program:erp-frappe-web]\n{given}")
	)
	lay_over(bench)
	bench.ctl("reread")
	bench.ctl("update")
	bench.settled()
	[web] = [one for one in processes.of_bench(bench.folder) if one.kind == "web"]
	assert web.server_id == "secondary" and psutil.Process(web.pid).environ()["KEPT"] == "a,b%"


def test_a_queue_that_is_gone_from_another_server_does_no_harm(bench):
	lay_over(bench)
	bench.generate("secondary")
	assert "ERROR" not in bench.ctl("reread")
	bench.ctl("update")
	assert bench.settled()["frappe-secondary-worker-0"] == "RUNNING"


def test_where_the_scheduler_runs_it_has_the_server_id(bench):
	lay_over(bench, Role("secondary", has_scheduler=True))
	bench.ctl("reread")
	bench.ctl("update")
	bench.settled()
	assert ("scheduler", "secondary") in kinds(bench)


def test_the_link_is_read_after_the_file_of_bench_whatever_that_is_called(tmp_path):
	config = tmp_path / "config"
	assert overlays.bench_link(config, (tmp_path,)) is None
	for name in ("erp.conf", "zzz.conf", "zz-erp-site.ini", "zz.conf"):
		folder = tmp_path / name
		folder.mkdir()
		(folder / name).symlink_to(config / "supervisor.conf")
		link = overlays.link_behind(overlays.bench_link(config, (tmp_path / "none", folder)))
		assert link.parent == folder and link.suffix == Path(name).suffix
		assert sorted([link.name, name]) == [name, link.name]


def verify(folder: Path, *units: str) -> str:
	"""What `systemd-analyze verify` says of units in a folder, beside those of this machine."""
	result = subprocess.run(
		["systemd-analyze", "verify", "--man=no", *units],
		env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
		capture_output=True,
		text=True,
		timeout=60,
	)
	return result.stdout + result.stderr


def units(folder: Path, *names: str) -> list[str]:
	for name in names:
		(folder / f"{name}.service").write_text(
			f"[Unit]\nDescription={name}\n[Service]\nExecStart=/bin/sleep 60\n"
		)
	return [str(folder / f"{name}.service") for name in names]


def test_systemd_takes_each_file_for_its_units(tmp_path):
	role = Role("secondary", False, ("primary",), ("redis-cache",), "10.0.0.3")
	files = overlays.for_systemd("erp", role, {"redis-cache": "/bin/sleep 60"})
	for name, text in files.items():
		(tmp_path / name).parent.mkdir()
		(tmp_path / name).write_text(text)
	names = units(
		tmp_path, "erp-frappe-web", "erp-frappe-schedule", "erp-frappe-primary-worker", "erp-redis-cache"
	)
	assert verify(tmp_path, *names) == ""
	broken = next(iter(files))
	(tmp_path / broken).write_text("[Service]\nEnvironmint=SERVER_ID=x\n")
	assert "Environmint" in verify(tmp_path, *names)
	(tmp_path / "erp-redis-cache.service.d" / overlays.DROP_IN).write_text(
		"[Service]\nExecStart=/bin/sleep 61\n"
	)
	assert "more than one ExecStart" in verify(tmp_path, *names)


def test_systemd_never_starts_the_scheduler_with_this_condition():
	text = overlays.for_systemd("erp", SECOND, {})["erp-frappe-schedule.service.d/read-replica.conf"]
	[condition] = [line for line in text.splitlines() if line.startswith("Condition")]
	result = subprocess.run(
		["systemd-analyze", "condition", condition], capture_output=True, text=True, timeout=30
	)
	assert result.returncode == 1, result.stderr
