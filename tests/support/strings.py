# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The texts that this app shows in the desk, found in its code, in the doctor's checks and in the files that Frappe syncs."""

import ast
import csv
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import read_replica
from read_replica import deploy
from read_replica.deploy.doctor import Check
from read_replica.policy import shipped

PACKAGE = Path(read_replica.__file__).parent

# A call of __() in JavaScript, with its text in quotes of any kind.
OF_JAVASCRIPT = re.compile(r"""\b__\(\s*(["'`])((?:\\.|(?!\1).)*)\1""", re.S)

# The same, put into a template as it is; not among the heads of a table of panels.js, which that escapes.
AS_HTML = re.compile(r"""(?<!escaped\(`)\$\{\s*__\((?!"[^"]*"\)\}#`)""")

# Calls in Python whose first argument is looked up in translations, at once or when it is said.
TRANSLATED = ("_", "frappe._", "Sentence")

# Of what Frappe syncs: the fields that the desk shows translated.
SHOWN = ("label", "title", "description")
SYNCED = ("doctype", "page", "workspace", "number_card", "report", "dashboard_chart")
OF_THE_APP = ("workspace_sidebar", "desktop_icon")

# A check's fix that is one command of bench and nothing beside it: it is the same in all languages.
COMMAND_ALONE = re.compile(r"bench( [\w-]+)+")

# Where a text of ours is made, and which of the arguments are that.
MADE_IN = {"Trouble": (1,), "ConfigurationError": (1, 2)}

# What Frappe brings along is translated there.
CORES_ROLES = {"System Manager"}


def texts() -> dict[str, str]:
	"""Returns each text with the file that shows it."""
	found: dict[str, str] = dict.fromkeys(_reasons(), "policy/shipped.py")
	found |= _of_checks()
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


def checks() -> Iterator[tuple[str, Check]]:
	"""Yields each check of the doctor, with the file that it stands in."""
	for path in sorted(Path(deploy.__file__).parent.glob("*_checks.py")):
		for check in import_module(f"read_replica.deploy.{path.stem}").CHECKS:
			yield f"deploy/{path.name}", check


def _of_checks() -> dict[str, str]:
	"""What is right, and what mends it: the desk translates both as it shows them."""
	return {
		text: file
		for file, check in checks()
		for text in (check.expected, check.fix)
		if not COMMAND_ALONE.fullmatch(text)
	}


def translated(language: str) -> dict[str, str]:
	"""Returns the translations of a language, by text."""
	with (PACKAGE / "translations" / f"{language}.csv").open(newline="", encoding="utf-8") as file:
		return {row[0]: row[1] for row in csv.reader(file)}


def thrown_without_translation(but_in: tuple[str, ...]) -> list[str]:
	"""Returns where code gives Frappe a text of its own to show that is not looked up in translations.

	:param but_in: rooms that speak to people who use the command line
	"""
	return [
		where
		for where, call, _ in _calls()
		if where.partition("/")[0] not in but_in
		and ast.unparse(call.func) in ("frappe.throw", "frappe.msgprint")
		and isinstance(call.args[0], ast.Constant | ast.JoinedStr)
	]


def put_in_as_html() -> list[str]:
	"""Returns where a page puts a translation into its HTML as it is: anybody who may translate could write a page."""
	return [
		f"{path.relative_to(PACKAGE)}:{text.count(chr(10), 0, one.start()) + 1}"
		for path in sorted(PACKAGE.rglob("*.js"))
		for text in [path.read_text()]
		for one in AS_HTML.finditer(text)
	]


def sentences_without_a_literal() -> list[str]:
	"""Returns where code makes a Sentence of a template that is not written there, so that nobody can translate it."""
	return [
		where
		for where, call, _ in _calls()
		if ast.unparse(call.func) == "Sentence"
		and not where.startswith("engine/sentence.py")
		and not isinstance(call.args[0], ast.Constant)
	]


def told_without_a_sentence() -> list[str]:
	"""Returns where code says what is wrong in a text that cannot be said in another language."""
	return [
		where
		for where, call, names in _calls()
		for place in MADE_IN.get(ast.unparse(call.func), ())
		if any(_is_plain(value) for value in _values_of(call.args[place], names))
		# The desk does not show what is skipped.
		and ast.unparse(call.args[0]) != "'skipped'"
	]


def _values_of(node: ast.expr, names: dict[str, list[ast.expr]]) -> list[ast.expr]:
	"""What may stand there: for a name, all that its function assigns to it."""
	return names.get(node.id, []) if isinstance(node, ast.Name) else [node]


def _is_plain(node: ast.expr) -> bool:
	return (
		isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
		or (isinstance(node, ast.IfExp) and (_is_plain(node.body) or _is_plain(node.orelse)))
		or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".format", ".join", "str")))
	)


def _calls() -> Iterator[tuple[str, ast.Call, dict[str, list[ast.expr]]]]:
	"""Yields each call in the code, with where it stands, and what its function assigns to names."""
	for path in sorted(PACKAGE.rglob("*.py")):
		yield from _in_scope(path, ast.parse(path.read_text()))


def _in_scope(path: Path, scope: ast.AST) -> Iterator[tuple[str, ast.Call, dict[str, list[ast.expr]]]]:
	names: dict[str, list[ast.expr]] = {}
	calls, inside = [], list(ast.iter_child_nodes(scope))
	for node in inside:
		if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
			yield from _in_scope(path, node)
			continue
		inside += ast.iter_child_nodes(node)
		if isinstance(node, ast.Call):
			calls.append(node)
		for target in node.targets if isinstance(node, ast.Assign) else ():
			if isinstance(target, ast.Name):
				names.setdefault(target.id, []).append(node.value)
	for call in calls:
		yield f"{path.relative_to(PACKAGE)}:{call.lineno}", call, names


def _of_javascript(path: Path) -> Iterator[str]:
	for _, text in OF_JAVASCRIPT.findall(path.read_text()):
		yield text


def _of_python(path: Path) -> Iterator[str]:
	for node in ast.walk(ast.parse(path.read_text())):
		if isinstance(node, ast.Call) and ast.unparse(node.func) in TRANSLATED and node.args:
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
