# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Names what a request calls: a whitelisted method, a list of REST or the desk, and the subject that it works for."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import frappe
from werkzeug.wrappers import Request

from read_replica.policy.shipped import SUBJECTS

# The names of REST's lists in rules, by the beginning of their paths.
LISTS = {
	"/api/resource/": "/api/resource",
	"/api/v1/resource/": "/api/resource",
	"/api/v2/document/": "/api/v2/document",
}
METHODS = ("/api/method/", "/api/v1/method/", "/api/v2/method/")

# The page that loads the desk, whatever it is to show: its name in rules, and its paths (v16: /desk).
DESK = "/app"
PATHS_OF_DESK = re.compile("/(?:app|desk)(?:/|$)")

# The longest names of a method that are looked at, and of a doctype, report or dashboard.
LONGEST_METHOD = 200
LONGEST_SUBJECT = 140


class Called(NamedTuple):
	"""A whitelisted method, a list of REST or the desk, and what it works for; as text: `method(subject)`."""

	method: str
	subject: str = ""

	def __str__(self) -> str:
		return f"{self.method}({self.subject})" if self.subject else self.method


def called_of(name: str) -> Called:
	"""Returns what a name says that a rule or a counter has, such as `frappe.client.get_list(Item)`."""
	method, _, subject = name.partition("(")
	return Called(method, subject[:-1])


def called_by(request: Request, arguments: Mapping[str, Any]) -> Called | None:
	"""Returns what a request calls; None if that is nothing that a rule can name.

	:param arguments: Frappe's form_dict
	"""
	if request.method == "OPTIONS":
		return None
	if method := arguments.get("cmd"):
		return _called(method, arguments)
	path = request.path
	for beginning in METHODS:
		if path.startswith(beginning):
			# A method of a doctype (/api/v2/method/ToDo/name) is no dotted path, and stays where it was.
			return _called(path[len(beginning) :].strip("/"), arguments)
	if request.method != "GET":
		return None
	if PATHS_OF_DESK.match(path):
		return Called(DESK)
	for beginning, name in LISTS.items():
		if path.startswith(beginning):
			doctype = path[len(beginning) :].strip("/")
			return Called(name, _readable(unquote(doctype))) if doctype and "/" not in doctype else None
	return None


def _called(method: Any, arguments: Mapping[str, Any]) -> Called | None:
	if not isinstance(method, str) or not method or len(method) > LONGEST_METHOD or "/" in method:
		return None
	return Called(method, _subject_of(method, arguments))


def _subject_of(method: str, arguments: Mapping[str, Any]) -> str:
	"""Returns what a method works for, by the arguments that SUBJECTS names for it."""
	for argument in SUBJECTS.get(method, ()):
		name, _, key = argument.partition(".")
		value = arguments.get(name)
		if key:
			value = _value_in(value, key)
		if isinstance(value, str) and value:
			return _readable(value)
	return ""


def _value_in(value: Any, key: str) -> Any:
	if isinstance(value, str):
		try:
			value = json.loads(value)
		except ValueError:
			return None
	return value.get(key) if isinstance(value, Mapping) else None


def _readable(subject: str) -> str:
	"""Returns a subject as it is counted and listed: it comes from a request, and is not validated yet."""
	return subject[:LONGEST_SUBJECT].encode("utf-8", "replace").decode()


def called_now() -> Called | None:
	"""Returns what the current request calls."""
	return called_by(frappe.local.request, frappe.local.form_dict)
