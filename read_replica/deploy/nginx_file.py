# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Derives a configuration of nginx from bench's: what only reads goes to the reporting server, the rest as bench has it.

bench makes its own nginx.conf anew whenever a site or a certificate is added, so nothing is written there. The derived
file stands beside it, says of which text it was made, and takes its place by a symlink.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from read_replica.deploy import nginx_source
from read_replica.deploy.nginx_maps import EXPORTS, READS, Names, http_directives
from read_replica.deploy.nginx_rules import Visible
from read_replica.deploy.nginx_source import (
	APP_LOCATION,
	BenchFile,
	Directive,
	NginxError,
	Site,
	directive,
	seconds_to_read,
)

HEADER = "X-Answered-By"

SOURCE = re.compile(r"^# Made of bench's file with sha256 ([0-9a-f]{64})$", re.MULTILINE)
SERVER = re.compile(r"^# Reporting server: (\S+) (\S+)$", re.MULTILINE)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")

SECONDS_TO_CONNECT = 1

# What is tried again on the app server. 502 and 503 are what a second nginx or a site in maintenance answers. A 504 is
# a slow report's.
TRIED_AGAIN = ("error", "timeout", "http_502", "http_503")


@dataclass(frozen=True)
class Reporting:
	"""The reporting server.

	:param address: host and port, as nginx has them
	:param name: what it is called in the header and in the log
	"""

	address: str
	name: str


def reporting_server(address: str, name: str) -> Reporting:
	"""Returns the reporting server at an address.

	:raises NginxError: if it is no IP address with a port, or if the name is none
	"""
	host, _, port = address.rpartition(":")
	try:
		ip = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
	except ValueError:
		raise NginxError(
			f"{address} is no IP address with a port, such as 10.0.0.3:8000. A host name would keep nginx from starting"
			" while it cannot be looked up."
		) from None
	if not port.isdecimal() or not 0 < int(port) < 65536:
		raise NginxError(
			f"{address} has no port; give that of gunicorn on the reporting server, as in {host}:8000"
		)
	if not NAME.fullmatch(name) or name == "app":
		raise NginxError(
			f"{name!r} cannot be its name: take up to 40 letters, digits, dots, dashes and underscores, and not app"
		)
	return Reporting(f"[{ip}]:{int(port)}" if ip.version == 6 else f"{ip}:{int(port)}", name)


def derived(bench: BenchFile, visible: Visible, reporting: Reporting) -> str:
	"""Returns the text of the derived file.

	:raises NginxError: if bench's file is one that it cannot be derived from
	"""
	names = Names(bench.upstream)
	lines = bench.text.splitlines()
	_send_fallbacks_to(f"@{names.location}", lines, bench.fallbacks)
	for site in sorted(bench.sites, key=lambda site: site.line, reverse=True):
		if lines[site.line - 1].split()[:2] != ["location", APP_LOCATION]:
			raise NginxError(
				f"Line {site.line} of bench's nginx.conf holds more than the location {APP_LOCATION}; bench writes it"
				" on a line of its own: bench setup nginx"
			)
		lines[site.line - 1 : site.line - 1] = _indented(_site_directives(names, site))
	of_http = http_directives(names, visible, bench.app_servers, reporting.address, reporting.name)
	text = "\n".join(
		[
			"# Made by bench read-replica nginx, which makes it anew: what is changed here is lost.",
			f"# Made of bench's file with sha256 {bench.digest}",
			f"# Reporting server: {reporting.address} {reporting.name}",
			"",
			*(f"{nginx_source.build([each])}\n" for each in of_http),
			*lines,
			"",
		]
	)
	# That it can be read is known before anybody gives it to nginx.
	nginx_source.parse(text, "the derived file")
	return text


def is_outdated(text: str, source: str) -> bool:
	"""Returns whether bench has changed its nginx.conf since a file was derived from it.

	:param text: of the derived file
	:param source: bench's nginx.conf as it is now
	:raises NginxError: if the text is none of a derived file
	"""
	found = SOURCE.search(text)
	if not found:
		raise NginxError("This file was not made by bench read-replica nginx: it does not say of what")
	return found[1] != nginx_source.digest_of(source)


def reporting_server_of(text: str) -> Reporting | None:
	"""Returns the reporting server of a derived file; None if it names none."""
	found = SERVER.search(text)
	return Reporting(found[1], found[2]) if found else None


def log_of(bench: BenchFile) -> str | None:
	"""Returns the path of the log that says which server answered; None if bench's file has no log beside which it could stand."""
	return next(
		(path for site in bench.sites if (path := _log_of(Names(bench.upstream).upstream, site))), None
	)


def _send_fallbacks_to(location: str, lines: list[str], fallbacks: Sequence[int]) -> None:
	for number in fallbacks:
		changed, count = re.subn(rf"{APP_LOCATION}(?=\s*;)", location, lines[number - 1])
		if count != 1:
			raise NginxError(
				f"Line {number} of bench's nginx.conf is no whole try_files that ends in {APP_LOCATION}, as bench"
				" writes it: bench setup nginx"
			)
		lines[number - 1] = changed


def _indented(directives: Sequence[Directive]) -> list[str]:
	return [f"\t{line}" for line in nginx_source.build(directives).splitlines()] + [""]


def _site_directives(names: Names, site: Site) -> list[Directive]:
	log = _log_of(names.upstream, site)
	return [
		# Beside bench's own headers: in a location, it would take the place of all of them.
		directive("add_header", HEADER, names.server, "always"),
		*([directive("access_log", log, names.log_format, f"if={names.is_read}")] if log else []),
		_location(names, site, READS, "non_idempotent"),
		# An export notes itself in the Access Log, or queues itself: it is not sent again once it was sent.
		_location(names, site, EXPORTS),
	]


def _log_of(name: str, site: Site) -> str | None:
	# An access_log takes the place of those outside the block, so one is added only where the block has its own.
	path = next((args[0] for args in site.access_logs if args[0].startswith("/")), None)
	return str(PurePosixPath(path).with_name(f"{name}.log")) if path else None


def _location(names: Names, site: Site, location: str, *tried_again: str) -> Directive:
	"""Returns bench's own location with another server to pass to, and what is done when that fails."""
	kept = [each for each in site.directives if each["directive"] not in _OURS and each["directive"] != "#"]
	return directive(
		"location",
		f"@{location}",
		block=[
			*kept,
			directive("proxy_pass", f"http://{names.upstream}"),
			directive("proxy_connect_timeout", f"{SECONDS_TO_CONNECT}s"),
			directive("proxy_socket_keepalive", "on"),
			directive("proxy_next_upstream", *TRIED_AGAIN, *tried_again),
			directive("proxy_next_upstream_timeout", f"{_seconds_to_try_again(site)}s"),
			directive("proxy_next_upstream_tries", "2"),
		],
	)


_OURS = (
	"proxy_pass",
	"proxy_connect_timeout",
	"proxy_socket_keepalive",
	"proxy_next_upstream",
	"proxy_next_upstream_timeout",
	"proxy_next_upstream_tries",
)


def _seconds_to_try_again(site: Site) -> int:
	"""Returns for how long after its beginning a request is tried again.

	Less than an answer may take: what has then not been answered is slow, and the app server would be no faster. By a
	tenth, as gunicorn ends a slow worker after the same time by a clock of its own.
	"""
	seconds = seconds_to_read(site)
	if seconds < 2:
		raise NginxError("http_timeout is less than 2 s: a slow report could not be told from a lost server")
	return max(1, seconds * 9 // 10)
