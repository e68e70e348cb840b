# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the docs say and what the code has, as data that can be compared. Code that needs Frappe is read, not run."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from markdown_it import MarkdownIt
from markdown_it.token import Token

import read_replica
from read_replica.patches import moved

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "read_replica"

_PARSER = MarkdownIt("commonmark").enable("table")


class Cell(NamedTuple):
	"""A cell of a table: its text, and the words in it that are set as code."""

	text: str
	code: tuple[str, ...]


class Page:
	"""A Markdown file of this repository."""

	def __init__(self, path: str):
		self.path = path
		self.text = (ROOT / path).read_text()
		self._tokens = _PARSER.parse(self.text)

	def __repr__(self) -> str:
		return self.path

	def blocks(self, language: str) -> list[str]:
		"""The code blocks of a language, such as `json`, or `layers read_replica`."""
		return [t.content for t in self._tokens if t.type == "fence" and t.info.strip() == language]

	@cached_property
	def code(self) -> list[str]:
		"""What is set as code within the text, without the blocks."""
		return [word for token in self._inline() for word in _code_in(token)]

	@cached_property
	def links(self) -> list[str]:
		children = [child for token in self._inline() for child in token.children or ()]
		return [str(child.attrs["href"]) for child in children if child.type == "link_open"]

	@cached_property
	def headings(self) -> list[str]:
		found = [self._tokens[at + 1] for at, t in enumerate(self._tokens) if t.type == "heading_open"]
		return [_plain(token) for token in found]

	@property
	def anchors(self) -> list[str]:
		"""What a link to a heading of this page is called, as GitHub makes it."""
		return [
			re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in self.headings
		]

	def tables(self, heading: str) -> list[list[list[Cell]]]:
		"""The tables right below a heading, before the next one: their rows without the head.

		:raises ValueError: if there is no such heading
		"""
		at = self.headings.index(heading)
		tables: list[list[list[Cell]]] = []
		seen, is_body = -1, False
		for token in self._tokens:
			seen += token.type == "heading_open"
			if seen != at:
				continue
			if token.type == "table_open":
				tables.append([])
			elif token.type in ("tbody_open", "tbody_close"):
				is_body = token.type == "tbody_open"
			elif token.type == "tr_open" and is_body:
				tables[-1].append([])
			elif token.type == "inline" and is_body:
				tables[-1][-1].append(Cell(_plain(token), tuple(_code_in(token))))
		return tables

	def _inline(self) -> Iterator[Token]:
		return (token for token in self._tokens if token.type == "inline")


def _code_in(token: Token) -> list[str]:
	return [child.content for child in token.children or () if child.type == "code_inline"]


def _plain(token: Token) -> str:
	return "".join(
		child.content for child in token.children or () if child.type in ("text", "code_inline", "softbreak")
	)


def pages() -> list[Page]:
	"""All Markdown files that people read."""
	found = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"]
	found += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
	return [Page(path) for path in found]


def column(table: list[list[Cell]], number: int = 0) -> list[str]:
	"""The words that are set as code in a column of a table."""
	return [word for row in table for word in row[number].code]


@lru_cache
def tree(path: Path) -> ast.Module:
	return ast.parse(path.read_text())


def sources(folder: Path = PACKAGE) -> list[Path]:
	return sorted(folder.rglob("*.py"))


def literal(path: str, name: str) -> object:
	"""The value of a constant of a module, as it is written there.

	:raises LookupError: if the module has none of this name
	"""
	for node in tree(PACKAGE / path).body:
		if isinstance(node, ast.Assign) and any(
			isinstance(t, ast.Name) and t.id == name for t in node.targets
		):
			return ast.literal_eval(node.value)
	raise LookupError(f"{path} has no {name}")


def exists(dotted: str) -> bool:
	"""Whether a dotted path, such as `read_replica.routing.current`, leads to a module or to a name in one."""
	parts = dotted.split(".")
	for known in range(len(parts), 0, -1):
		module, names = ".".join(parts[:known]), parts[known:]
		if path := _file_of(moved.MODULES.get(module, module)):
			break
	else:
		return False
	if not names:
		return True
	public = module == "read_replica" and names[0] in read_replica.__all__
	return public or _has(tree(path).body, names)


def _file_of(module: str) -> Path | None:
	base = ROOT / module.replace(".", "/")
	return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _has(body: list[ast.stmt], names: list[str]) -> bool:
	first, *rest = names
	for node in body:
		if first not in _names_of(node):
			continue
		return not rest or (isinstance(node, ast.ClassDef) and _has(node.body, rest))
	return False


def _names_of(node: ast.stmt) -> set[str]:
	if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
		return {node.name}
	if isinstance(node, ast.Import | ast.ImportFrom):
		return {alias.asname or alias.name for alias in node.names}
	targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
	return {target.id for target in targets if isinstance(target, ast.Name)}


def calls(path: Path) -> Iterator[tuple[str, list[str], ast.Call]]:
	"""All calls in a file: the last name of what is called, the texts that it is given, and the call."""
	for node in ast.walk(tree(path)):
		if isinstance(node, ast.Call):
			function = node.func
			name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
			texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
			yield name, texts, node


def bench_commands() -> dict[str, set[str]]:
	"""The commands of `bench read-replica`, each with its options."""
	found = {}
	for node in [node for path in sources(PACKAGE / "cli") for node in tree(path).body]:
		if not isinstance(node, ast.FunctionDef):
			continue
		texts = [
			argument.value
			for decorator in node.decorator_list
			if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "read_replica.command"
			for argument in decorator.args
		]
		options = {
			argument.value
			for decorator in node.decorator_list
			if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "click.option"
			for argument in decorator.args
			if argument.value.startswith("--")
		}
		found |= {text: options for text in texts}
	return found


def keys_of(report: type, without: type | None = None) -> list[str]:
	"""The keys that a dataclass has as JSON, such as `rows[].name`, in their order; without those of a base."""
	inherited = {field.name for field in fields(without)} if without else set()
	types = get_type_hints(report)
	own = [field.name for field in fields(report) if field.name not in inherited]
	return [f"{name}{rest}" for name in own for rest in _rest_of_key(types[name])]


def _rest_of_key(kind: Any) -> list[str]:
	"""What follows the name of a field of this type in its keys."""
	if get_origin(kind) is list:
		return [f"[]{rest}" for rest in _rest_of_key(get_args(kind)[0])]
	[inner] = [each for each in get_args(kind) if is_dataclass(each)] or [kind]
	return [f".{key}" for key in keys_of(inner)] if is_dataclass(inner) else [""]


def metrics() -> dict[str, list[str]]:
	"""The metrics that Prometheus is shown, by their full names, each with its labels."""
	found = {}
	labels: dict[str, list[str]] = {}
	for function in tree(PACKAGE / "watch/prometheus.py").body:
		for node in ast.walk(function):
			if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "labels":
				labels["labels"] = list(ast.literal_eval(node.value))
			if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("MetricFamily"):
				name = node.args[0].value + ("_total" if "Counter" in ast.unparse(node.func) else "")
				given = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "labels"]
				found[name] = [label for each in given for label in labels[each]]
	return found


def events() -> set[str]:
	"""The names of all lines that the app's log may have."""
	loggers = ("log_event", "log", "log_throttled")
	return {texts[0] for path in sources() for name, texts, _ in calls(path) if name in loggers and texts}


def replaced_in_core() -> set[str]:
	"""The names of the functions that the app puts others in place of."""
	files = [PACKAGE / path for path in ("core/replacements.py", "cache/guard.py", "cache/process.py")]
	dicts = [node for path in files for node in ast.walk(tree(path)) if isinstance(node, ast.Dict)]
	names = {key.value for found in dicts for key in found.keys if isinstance(key, ast.Constant)}
	# Dotted paths name what core has, and not what is put in its place.
	return {name for name in names if "." not in name}


def reasons_that_are_counted() -> set[str]:
	"""The members of Reason that the engine uses."""
	files = [path for path in sources(PACKAGE / "engine") if path.name != "reasons.py"]
	return {name for path in files for name in re.findall(r"\bReason\.([A-Z_]+)", path.read_text())}


def environment_variables() -> set[str]:
	"""The variables of this app's own that the tests look at."""
	asked = (calls(path) for path in sources(ROOT / "tests"))
	return {
		text
		for found in asked
		for name, texts, _ in found
		if name == "get"
		for text in texts
		if re.fullmatch(r"READ_REPLICA_[A-Z_]+", text)
	}
