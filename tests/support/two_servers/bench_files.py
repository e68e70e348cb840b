# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes what `bench setup` writes into a bench's config: the files of supervisor, of Redis and of nginx.

python -m support.two_servers.bench_files BENCH setup supervisor …: the first of them, for a bench's own command.
"""

import json
import shutil
import sys
from pathlib import Path

from support.front import bench_file
from support.servers import find_program

SOCKETIO_PORT = 9000
WEB_PORT = 8000
REDIS_PORTS = {"cache": 13000, "queue": 11000}


def write_redis(config: Path, bench: Path) -> None:
	"""Write the files of both Redis servers, as `bench setup redis` does."""
	for name, port in REDIS_PORTS.items():
		(config / f"redis_{name}.acl").touch()
		limit = 'maxmemory 64mb\nmaxmemory-policy allkeys-lru\nsave ""\n' if name == "cache" else ""
		(config / f"redis_{name}.conf").write_text(
			f"dbfilename redis_{name}.rdb\ndir {bench}/config/pids\nbind 127.0.0.1\nport {port}\n"
			f"{limit}aclfile {bench}/config/redis_{name}.acl\n"
		)


def write_nginx(config: Path, bench: Path, site: str) -> None:
	"""Write the file of nginx, as `bench setup nginx` does."""
	text = bench_file(bench, 80, WEB_PORT, SOCKETIO_PORT, name=bench.name, site=site, address="*")
	(config / "nginx.conf").write_text(text)


def write_supervisor(config: Path, bench: Path, with_redis: bool = True) -> None:
	"""Write the file of supervisor, as `bench setup supervisor` does: with workers for each queue that has them.

	:param config: the folder `config` of the bench, as this process sees it
	:param bench: the bench's folder, as its server sees it
	"""
	common = json.loads((config.parent / "sites" / "common_site_config.json").read_text())
	frappe = f"{sys.executable} -m frappe.utils.bench_helper frappe"
	commands = {
		"frappe-web": f"{bench}/env/bin/gunicorn -b 127.0.0.1:{WEB_PORT} -w 1 --threads 6 -t 120"
		" --graceful-timeout 30 frappe.app:application",
		"frappe-schedule": f"{frappe} schedule",
		"frappe-long-worker": f"{frappe} worker --queue long,default,short",
		**{
			f"frappe-{queue}-worker": f"{frappe} worker --queue {queue}"
			for queue in common.get("workers") or {}
		},
		**{
			f"redis-{name}": f"{find_program('redis-server')} {bench}/config/redis_{name}.conf"
			for name in (REDIS_PORTS if with_redis else ())
		},
	}
	if with_redis and why_no_socketio(bench) is None:
		commands["node-socketio"] = f"{find_program('node')} {bench}/apps/frappe/socketio.js"
	groups = {
		"web": [name for name in commands if name in ("frappe-web", "node-socketio")],
		"workers": [name for name in commands if name.endswith(("-worker", "-schedule"))],
		"redis": [name for name in commands if name.startswith("redis-")],
	}
	parts = [_program(bench, name, command) for name, command in commands.items()]
	parts += [
		f"[group:{bench.name}-{group}]\nprograms={','.join(f'{bench.name}-{name}' for name in names)}\n"
		for group, names in groups.items()
		if names
	]
	(config / "supervisor.conf").write_text("\n".join(parts))


def _program(bench: Path, name: str, command: str) -> str:
	folder = f"{bench}/sites" if name.startswith("frappe-") else bench
	lines = [
		f"[program:{bench.name}-{name}]",
		f"command={command}",
		f"directory={folder}",
		"autostart=true",
		"autorestart=true",
		"startsecs=0",
		"stopwaitsecs=60",
		"killasgroup=true",
		"stopasgroup=true" if name != "frappe-web" else "stopasgroup=false",
		"redirect_stderr=true",
		f"stdout_logfile={bench}/logs/{name}.log",
	]
	if name.endswith("-worker"):
		lines += ["numprocs=1", "process_name=%(program_name)s-%(process_num)d"]
	return "\n".join(lines) + "\n"


def why_no_socketio(bench: Path) -> str | None:
	"""Why no server of Socket.IO runs; None if one does."""
	if not shutil.which("node"):
		return "node is not installed, so there is no server of Socket.IO"
	if not (bench / "apps" / "frappe" / "node_modules" / "socket.io").exists():
		return "the bench has no node_modules, so there is no server of Socket.IO"
	return None


if __name__ == "__main__":
	write_supervisor(Path(sys.argv[1]) / "config", Path(sys.argv[1]), "--skip-redis" not in sys.argv)
