# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The texts that this app shows in the desk, found in its code and in the files that Frappe syncs."""

import ast
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import read_replica
from read_replica.policy import shipped

PACKAGE = Path(read_replica.__file__).parent

# A call of __() in JavaScript, with its text in quotes of any kind.
OF_JAVASCRIPT = re.compile(r"""\b__\(\s*(["'`])((?:\\.|(?!\1).)*)\1""", re.S)

# Of what Frappe syncs: the fields that the desk shows translated.
SHOWN = ("label", "title", "description")
SYNCED = ("doctype", "page", "workspace", "number_card", "report", "dashboard_chart")
OF_THE_APP = ("workspace_sidebar", "desktop_icon")

# What Frappe brings along is translated there.
CORES_ROLES = {"System Manager"}


def texts() -> dict[str, str]:
	"""Returns each text with the file that shows it."""
	found: dict[str, str] = dict.fromkeys(_reasons(), "policy/shipped.py")
	found |= dict.fromkeys((PACKAGE / "modules.txt").read_text().splitlines(), "modules.txt")
	for path in sorted(PACKAGE.rglob("*")):
		if path.suffix in READERS and "__pycache__" not in path.parts:
			for text in READERS[path.suffix](path):
				found.setdefault(text, str(path.relative_to(PACKAGE)))
	return found


def _reasons() -> set[str]:
	"""Why methods are on the shipped list, or never read on a replica: the desk translates them as it shows them."""
	return {
		reason
		for reasons in (shipped.READS, shipped.REMEMBERS_NO_WRITES, shipped.NEVER)
		for reason in reasons.values()
	}


def translated(language: str) -> dict[str, str]:
	"""Returns the translations of a language, by text."""
	with (PACKAGE / "translations" / f"{language}.csv").open(newline="", encoding="utf-8") as file:
		return {row[0]: row[1] for row in csv.reader(file)}


def thrown_without_translation(but_in: tuple[str, ...]) -> list[str]:
	"""Returns where code gives Frappe a text of its own to show that is not looked up in translations.

	:param but_in: rooms that speak to people who use the command line
	"""
	found = []
	for path in sorted(PACKAGE.rglob("*.py")):
		folders = path.relative_to(PACKAGE).parts
		if folders[0] in but_in:
			continue
		for node in ast.walk(ast.parse(path.read_text())):
			if isinstance(node, ast.Call) and ast.unparse(node.func) in ("frappe.throw", "frappe.msgprint"):
				if isinstance(node.args[0], ast.Constant | ast.JoinedStr):
					found.append(f"{'/'.join(folders)}:{node.lineno}")
	return found


def _of_javascript(path: Path) -> Iterator[str]:
	for _, text in OF_JAVASCRIPT.findall(path.read_text()):
		yield text


def _of_python(path: Path) -> Iterator[str]:
	for node in ast.walk(ast.parse(path.read_text())):
		if isinstance(node, ast.Call) and ast.unparse(node.func) in ("_", "frappe._") and node.args:
			if isinstance(node.args[0], ast.Constant):
				yield node.args[0].value


def _of_json(path: Path) -> Iterator[str]:
	folders = path.relative_to(PACKAGE).parts
	if folders[0] in OF_THE_APP or (folders[0] == "read_replica" and folders[1] in SYNCED):
		yield from _in(json.loads(path.read_text()))


def _in(document: object) -> Iterator[str]:
	if isinstance(document, list):
		for one in document:
			yield from _in(one)
	if not isinstance(document, dict):
		return
	yield from (document[key] for key in SHOWN if document.get(key))
	if document.get("doctype") == "DocType":
		yield document["name"]
	if document.get("role", "System Manager") not in CORES_ROLES:
		yield document["role"]
	if document.get("fieldtype") == "Select":
		yield from (option for option in document.get("options", "").split("\n") if option)
	for value in document.values():
		yield from _in(value)


READERS = {".js": _of_javascript, ".py": _of_python, ".json": _of_json}
