# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reads tables as rich prints them."""

import re


def columns(output: str, first: str) -> list[str]:
	"""The text of each column of the table whose first column is called so, its rows one after the other.

	Without spaces, as a long cell is folded at any place.

	:raises LookupError: if there is no such table
	"""
	for table in re.findall(r"^┏.*?^└", output, re.MULTILINE | re.DOTALL):
		head, body = re.split(r"^┡.*\n", table, flags=re.MULTILINE)
		names, texts = _columns(head, "┃"), _columns(body, "│")
		if names[0] == first.replace(" ", ""):
			return texts or [""] * len(names)
	raise LookupError(f"no table begins with {first!r}:\n{output}")


def _columns(text: str, border: str) -> list[str]:
	lines = [line.split(border)[1:-1] for line in text.splitlines() if line.startswith(border)]
	return [re.sub(r"\s", "", "".join(parts)) for parts in zip(*lines, strict=True)]


def as_columns(*rows: tuple[str, ...]) -> list[str]:
	"""What `columns` reads from a table of these rows."""
	return [re.sub(r"\s", "", "".join(cells)) for cells in zip(*rows, strict=True)]
