# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Makes the maps by which nginx chooses a server for a request, and the upstream that falls back to the app server.

All maps are over regular expressions. nginx keeps exact names in a hash table whose size is one setting for all files,
and does not start if a name is longer than that allows.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from read_replica.deploy.nginx_rules import LISTS, Route, Visible
from read_replica.deploy.nginx_source import Directive, directive

# How nginx calls the locations; the first is bench's own.
APP, READS, EXPORTS = "webserver", "read_replica", "read_replica_export"

# Beginnings of the paths of REST, with the versions of it that mean the same.
PATHS = {"/api/resource": "/api/(?:v1/)?resource/", "/api/v2/document": "/api/v2/document/"}
METHOD = "/api/(?:v1/|v2/)?method/"

# What is found of a method; PCRE takes names of up to 32 characters.
IN_PATH, AS_CMD = "read_replica_in_path", "read_replica_as_cmd"

# nginx reads no word that is longer than 4096 bytes.
LONGEST_EXPRESSION = 3000

# A server is left alone for so many seconds after so many failures. One slow report is a failure, too.
MOST_FAILURES, SECONDS_ALONE = 3, 10

# What the app server is called in the header and in the log.
NAME_OF_APP = "app"

# No address with its values, and nothing of a cookie.
LOG_FORMAT = (
	"$time_iso8601 $host $request_method $uri $status {server} tried=$upstream_addr"
	" seconds=$upstream_response_time of $request_time"
)


class Names:
	"""The names that one bench's maps have, as one nginx may serve several benches."""

	def __init__(self, upstream: str) -> None:
		prefix = "read_replica_" + re.sub(r"\W", "_", upstream.removesuffix("-frappe"), flags=re.ASCII)
		self.upstream = prefix
		self.log_format = prefix
		self.called = f"${prefix}_called"
		self.method_reads = f"${prefix}_method_reads"
		self.method_exports = f"${prefix}_method_exports"
		self.list_reads = f"${prefix}_list_reads"
		self.form_exports = f"${prefix}_form_exports"
		self.location = f"${prefix}_location"
		self.is_read = f"${prefix}_is_read"
		self.server = f"${prefix}_server"


def http_directives(
	names: Names, visible: Visible, app_servers: Sequence[Sequence[str]], reporting: str, name: str
) -> list[Directive]:
	"""Returns what stands beside the server blocks.

	:param app_servers: the arguments of bench's own upstream's servers
	:param reporting: the address of the reporting server
	:param name: what it is called in the header and in the log
	"""
	return [
		_upstream(names, app_servers, reporting),
		_called(names),
		_map(names.called, names.method_reads, "0", _methods(visible.methods)),
		_map(names.called, names.method_exports, "0", _methods(Route(one, True) for one in visible.exports)),
		_map("$request_method:$uri?$arg_cmd", names.list_reads, "0", _lists(visible)),
		_form_exports(names, visible),
		_location(names),
		_map(names.location, names.is_read, "1", [(APP, "0")]),
		_server(names, app_servers, reporting, name),
		directive("log_format", names.log_format, LOG_FORMAT.format(server=names.server)),
	]


def _upstream(names: Names, app_servers: Sequence[Sequence[str]], reporting: str) -> Directive:
	backups = [[*server, *(["backup"] if "backup" not in server else [])] for server in app_servers]
	return directive(
		"upstream",
		names.upstream,
		block=[
			# So that all of nginx's processes know of a failure.
			directive("zone", names.upstream, "64k"),
			directive("server", reporting, f"max_fails={MOST_FAILURES}", f"fail_timeout={SECONDS_ALONE}s"),
			*(directive("server", *server) for server in backups),
		],
	)


def _map(source: str, target: str, default: str, entries: Iterable[tuple[str, str]]) -> Directive:
	block = [directive("default", default), *(directive(key, value) for key, value in entries)]
	return directive("map", source, target, block=block)


def _called(names: Names) -> Directive:
	"""Returns the map to the method that a request names, in its path or as `cmd` in its address, but not in both."""
	# nginx finds $arg_cmd also as ?CMD=, and does not decode it: then the request stays on the app server.
	entries = [
		(rf"~^{METHOD}(?<{IN_PATH}>[^/?]+)\?$", f"${IN_PATH}"),
		(rf"~^/\?(?<{AS_CMD}>[^/?%]+)$", f"${AS_CMD}"),
	]
	return _map("$uri?$arg_cmd", names.called, "", entries)


def _methods(routes: Iterable[Route]) -> list[tuple[str, str]]:
	entries = []
	for (module, reads), group in groupby(routes, key=_module_and_place):
		last = [_expression(route.name[len(module) :]) for route in group]
		for chunk in _chunks(last):
			inner = chunk[0] if len(chunk) == 1 else f"(?:{'|'.join(chunk)})"
			entries.append((f"~^{_expression(module)}{inner}$", str(int(reads))))
	return entries


def _module_and_place(route: Route) -> tuple[str, bool]:
	return route.name[: route.name.rfind(".") + 1], route.reads


def _chunks(expressions: list[str]) -> Iterable[list[str]]:
	chunk: list[str] = []
	for one in expressions:
		if chunk and sum(map(len, chunk)) + len(one) > LONGEST_EXPRESSION:
			yield chunk
			chunk = []
		chunk.append(one)
	yield chunk


def _expression(pattern: str) -> str:
	"""Returns a name or pattern as a regular expression, in which `*` and `?` stand for anything within a part of a path."""
	return re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


def _lists(visible: Visible) -> list[tuple[str, str]]:
	return [
		(rf"~^GET:{PATHS[name]}{_doctype(route.name)}\?$", str(int(route.reads)))
		for name in LISTS
		for route in visible.lists[name]
	]


def _doctype(pattern: str) -> str:
	# A list has a doctype: without one, or with a document's name behind it, it is none.
	return "[^/?]+" if pattern == "*" else _expression(pattern)


def _form_exports(names: Names, visible: Visible) -> Directive:
	"""Returns the map that knows an export of a list or a report by how core asks for it.

	Its method is in the body. But core posts a form to / from a page for exports only: logins and calls of a web page
	are no navigation, and have their method in a header. Programs that post to / send no Sec-Fetch-Mode.
	"""
	entries = [(r"~^POST:/\?::navigate$", "1")] if visible.exports else []
	return _map(
		"$request_method:$uri?$arg_cmd:$http_x_frappe_cmd:$http_sec_fetch_mode",
		names.form_exports,
		"0",
		entries,
	)


def _location(names: Names) -> Directive:
	source = ":".join(
		("$request_method", names.method_reads, names.list_reads, names.method_exports, names.form_exports)
	)
	entries = [
		("~^(?:GET|POST):1:", READS),
		("~^GET:0:1:", READS),
		("~^(?:GET|POST):0:0:1:", EXPORTS),
		("~^POST:0:0:0:1$", EXPORTS),
	]
	return _map(source, names.location, APP, entries)


def _server(names: Names, app_servers: Sequence[Sequence[str]], reporting: str, name: str) -> Directive:
	"""Returns the map to the name of the server that answered, the last one that was tried."""
	entries = [(rf"~(?:^|[ ,:]){re.escape(reporting)}$", name)]
	entries += [(rf"~(?:^|[ ,:]){re.escape(args[0])}$", NAME_OF_APP) for args in app_servers]
	return _map("$upstream_addr", names.server, "", entries)
