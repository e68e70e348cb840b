# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reads nginx.conf as bench makes it (crossplane), and writes directives of nginx."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import crossplane

# The location of bench's file that passes what is no file on to the app server.
APP_LOCATION = "@webserver"

# What nginx waits for an answer if the file does not say how long.
SECONDS_TO_READ = 60
SECONDS_IN = {"": 1, "s": 1, "m": 60, "h": 3600}

Directive = dict[str, Any]


class NginxError(ValueError):
	"""Raised when a file is not as bench makes it, or an address is none that nginx should be given."""


@dataclass(frozen=True)
class Site:
	"""A server block that passes requests on to the app server.

	:param line: of its `location @webserver`, the first line of the file being 1
	:param directives: what stands in that location
	:param access_logs: the arguments of the block's own access_log directives
	"""

	line: int
	directives: list[Directive]
	access_logs: list[list[str]]


@dataclass(frozen=True)
class BenchFile:
	"""bench's nginx.conf.

	:param upstream: the name of the upstream of its app server
	:param app_servers: the arguments of that upstream's server directives
	:param fallbacks: the lines of try_files that end in the app server
	"""

	text: str
	upstream: str
	app_servers: list[list[str]]
	sites: list[Site]
	fallbacks: list[int]

	@property
	def digest(self) -> str:
		"""By which the same file is known again."""
		return digest_of(self.text)


def digest_of(text: str) -> str:
	"""Returns the sha256 of a file's text."""
	return hashlib.sha256(text.encode()).hexdigest()


def read(text: str, name: str) -> BenchFile:
	"""Returns what bench's nginx.conf says of its app server.

	:param name: of the file, for errors
	:raises NginxError: if it is not as bench makes it
	"""
	directives = parse(text, name)
	blocks = [each for each in directives if each["directive"] == "server"]
	sites = [site for block in blocks for site in _sites_of(block)]
	if not sites:
		raise NginxError(
			f"{name} has no server with a location {APP_LOCATION}, so bench has not made it for a site. Make it:"
			" bench setup nginx"
		)
	passes = {_only(site.directives, "proxy_pass", name)[0] for site in sites}
	upstreams = {f"http://{each['args'][0]}": each for each in directives if each["directive"] == "upstream"}
	if len(passes) != 1 or not passes <= set(upstreams):
		raise NginxError(
			f"{name} passes requests on to {', '.join(sorted(passes))}; it has to be one upstream of this file, as"
			" bench makes it: bench setup nginx"
		)
	upstream = upstreams[passes.pop()]
	return BenchFile(
		text=text,
		upstream=upstream["args"][0],
		app_servers=[each["args"] for each in upstream["block"] if each["directive"] == "server"],
		sites=sites,
		fallbacks=[each["line"] for block in blocks for each in _all_in(block) if _ends_in_the_app(each)],
	)


def parse(text: str, name: str) -> list[Directive]:
	"""Returns the directives of a configuration as crossplane has them.

	:param name: of the file, for errors
	:raises NginxError: if it cannot be read
	"""
	with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
		file.write(text)
		file.flush()
		# It is only a part of nginx's configuration, so what may stand where is for `nginx -t` to judge.
		payload = crossplane.parse(file.name, single=True, check_ctx=False, check_args=False)
		if payload["errors"]:
			error = str(payload["errors"][0]["error"]).replace(file.name, name)
			raise NginxError(f"{name} cannot be read: {error}")
	return payload["config"][0]["parsed"]


def build(directives: Sequence[Directive]) -> str:
	"""Returns directives as text, with each word quoted where it has to be."""
	return crossplane.build(list(directives), tabs=True)


def directive(name: str, *args: str, block: Sequence[Directive] | None = None) -> Directive:
	"""Returns a directive as crossplane has it."""
	made: Directive = {"directive": name, "args": list(args)}
	return made if block is None else made | {"block": list(block)}


def seconds_to_read(site: Site) -> int:
	"""Returns how long nginx waits for the app server's answer.

	:raises NginxError: if that is no whole number of seconds, minutes or hours
	"""
	written = next(
		(one["args"][0] for one in site.directives if one["directive"] == "proxy_read_timeout"), ""
	)
	number = written.rstrip("smh")
	unit = written[len(number) :]
	if not written:
		return SECONDS_TO_READ
	if not number.isdecimal() or unit not in SECONDS_IN or int(number) == 0:
		raise NginxError(
			f"proxy_read_timeout {written} is no whole number of seconds; bench writes http_timeout of"
			" common_site_config.json there"
		)
	return int(number) * SECONDS_IN[unit]


def _sites_of(block: Directive) -> Iterator[Site]:
	logs = [each["args"] for each in block["block"] if each["directive"] == "access_log"]
	for each in block["block"]:
		if each["directive"] == "location" and each["args"] == [APP_LOCATION]:
			yield Site(each["line"], each["block"], logs)


def _all_in(block: Directive) -> Iterator[Directive]:
	for each in block["block"]:
		yield each
		if "block" in each:
			yield from _all_in(each)


def _ends_in_the_app(one: Directive) -> bool:
	return one["directive"] == "try_files" and one["args"][-1] == APP_LOCATION


def _only(directives: Sequence[Directive], name: str, file: str) -> list[str]:
	found = [each["args"] for each in directives if each["directive"] == name]
	if len(found) != 1:
		raise NginxError(
			f"{file} has {len(found)} {name} in a location {APP_LOCATION}, where bench writes one"
		)
	return found[0]
