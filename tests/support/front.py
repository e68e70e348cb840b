# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A front nginx with a configuration in the shape that bench makes, and small app servers behind it."""

import http.client
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from support import small_app
from support.servers import Server, find_program

SITE = "site.example.com"
HEADERS = {
	"X-Frame-Options": "SAMEORIGIN",
	"Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload",
	"X-Content-Type-Options": "nosniff",
	"X-XSS-Protection": "1; mode=block",
	"Referrer-Policy": "same-origin, strict-origin-when-cross-origin",
}

# What bench's file consists of, as far as it matters for requests.
BENCH_FILE = """
upstream {name}-frappe {{
	server 127.0.0.1:{app} fail_timeout=0;
}}

upstream {name}-socketio-server {{
	server 127.0.0.1:{socketio} fail_timeout=0;
}}

map $host $site_name_abcdefg {{
	127.0.0.1 {site};
	default $host;
}}

server {{
	listen {address}:{port};
	server_name {site} 127.0.0.1;
	root {folder}/sites;
	{headers}

	location /assets {{
		add_header Cache-Control "max-age=31536000";
		try_files $uri =404;
	}}

	location ~ ^/protected/(.*) {{
		internal;
		try_files /$site_name_abcdefg/$1 =404;
	}}

	location /socket.io {{
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection "upgrade";
		proxy_set_header X-Frappe-Site-Name $site_name_abcdefg;
		proxy_set_header Origin $scheme://$http_host;
		proxy_set_header Host $host;
		proxy_http_version 1.1;
		proxy_pass http://{name}-socketio-server;
	}}

	location / {{
		rewrite ^(.+)/$ $1 permanent;
		location ~* ^/files/.*.(htm|html|svg|xml) {{
			add_header Content-disposition "attachment";
			try_files /$site_name_abcdefg/public/$uri @webserver;
		}}
		try_files /$site_name_abcdefg/public/$uri @webserver;
	}}

	location @webserver {{
		proxy_http_version 1.1;
		proxy_set_header Host $host;
		proxy_set_header X-Forwarded-For $remote_addr;
		proxy_set_header X-Forwarded-Proto $scheme;
		proxy_set_header X-Frappe-Site-Name $site_name_abcdefg;
		proxy_set_header X-Use-X-Accel-Redirect True;
		proxy_read_timeout {timeout};
		proxy_redirect off;
		proxy_pass  http://{name}-frappe;
	}}

	error_page 502 /502.html;
	location /502.html {{
		internal;
		root {folder};
	}}

	access_log {folder}/access.log;
	error_log {folder}/error.log;
}}
"""

MAIN_FILE = """
{user}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	access_log off;
	include {conf};
}}
"""


def bench_file(
	folder: Path,
	port: int,
	app: int,
	socketio: int = 9000,
	timeout: int = 120,
	name: str = "mybench",
	site: str = SITE,
	address: str = "127.0.0.1",
) -> str:
	"""The text of a file in the shape that bench makes.

	:param name: of the bench
	:param address: where nginx listens
	"""
	headers = "\n\t".join(f'add_header {name} "{value}";' for name, value in HEADERS.items())
	return BENCH_FILE.format(
		folder=folder,
		port=port,
		app=app,
		socketio=socketio,
		timeout=timeout,
		headers=headers,
		name=name,
		site=site,
		address=address,
	)


class SmallApp(Server):
	"""A small app server; `noted` has what it has begun and answered."""

	def __init__(self, folder: Path, name: str):
		super().__init__(folder)
		self.name = name
		self.log = folder / "requests.log"
		self.log.touch()

	@property
	def address(self) -> str:
		return f"{self.host}:{self.port}"

	def command(self) -> list[str]:
		return [sys.executable, small_app.__file__, self.name, str(self.port), str(self.log)]

	def noted(self, what: str) -> Counter:
		"""How often each request was begun here, or done."""
		rows = [line.split() for line in self.log.read_text().splitlines()]
		return Counter(number for word, number in rows if word == what)


class Nginx(Server):
	"""nginx with one included file, which is written before it is started."""

	@property
	def conf(self) -> Path:
		return self.folder / "site.conf"

	def command(self) -> list[str]:
		return [find_program("nginx"), "-c", str(self._main_file())]

	def test(self) -> subprocess.CompletedProcess:
		"""What `nginx -t` says of the files."""
		command = [find_program("nginx"), "-t", "-c", str(self._main_file())]
		return subprocess.run(command, capture_output=True, text=True, timeout=60)

	def _main_file(self) -> Path:
		path = self.folder / "nginx.conf"
		user = "user root;" if os.geteuid() == 0 else ""
		path.write_text(MAIN_FILE.format(user=user, folder=self.folder, conf=self.conf))
		return path


class Answer(NamedTuple):
	status: int
	headers: dict[str, str]
	text: str

	@property
	def said(self) -> Any:
		return json.loads(self.text)

	@property
	def by(self) -> str | None:
		"""The server that answered, by the header."""
		return self.headers.get("X-Answered-By")


def ask(port: int, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
	"""Send a request; an argument like x_test_id is a header."""
	connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
	try:
		named = {name.replace("_", "-"): value for name, value in headers.items()}
		connection.request(method, path, body, named)
		response = connection.getresponse()
		return Answer(response.status, dict(response.getheaders()), response.read().decode())
	finally:
		connection.close()
