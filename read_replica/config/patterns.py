# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Finds the most specific of many patterns for a name, such as `erpnext.stock.*` for a method."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Generic, TypeVar

T = TypeVar("T")

WILDCARDS = "*?"


def is_pattern(text: str) -> bool:
	"""Returns whether a text stands for all names that it matches with * or ?, and not for one name."""
	return any(wildcard in text for wildcard in WILDCARDS)


def matcher(pattern: str) -> Callable:
	"""Returns the function that matches a name with a pattern; it returns None if it does not."""
	# Not fnmatch(), which caches 256 patterns. Brackets are literal, as in the name of a Server Script.
	return re.compile(translate(pattern.replace("[", "[[]"))).match


def most_specific_first(patterns: Iterable[str]) -> list[str]:
	"""Returns patterns in the order in which they count."""
	return sorted(sorted(patterns), key=_given_characters, reverse=True)


class Patterns(Generic[T]):
	"""Values by names and patterns; finds the value for a name without trying all patterns.

	An exact name counts first. The more characters beside wildcards, the more specific a pattern is; of two with as
	many, the first by the alphabet counts.

	:param values: pairs of a name or pattern and its value; of one that stands there twice, the last counts
	"""

	def __init__(self, values: Iterable[tuple[str, T]]) -> None:
		by_text = dict(values)
		self._exact = {text: value for text, value in by_text.items() if not is_pattern(text)}
		patterns = most_specific_first(text for text in by_text if is_pattern(text))
		# By what stands before their first wildcard, so that most need not be tried.
		self._by_beginning: dict[str, list[tuple[int, Callable, T]]] = defaultdict(list)
		for rank, text in enumerate(patterns):
			self._by_beginning[re.split(r"[*?]", text)[0]].append((rank, matcher(text), by_text[text]))
		self._lengths = {len(beginning) for beginning in self._by_beginning}

	def find(self, name: str) -> T | None:
		"""Returns the value of the most specific pattern that matches a name; None if there is none."""
		if name in self._exact:
			return self._exact[name]
		begin_alike = [each for length in self._lengths for each in self._by_beginning.get(name[:length], ())]
		return next((value for _, matches, value in sorted(begin_alike, key=_rank) if matches(name)), None)


def _rank(ranked: tuple) -> int:
	return ranked[0]


def _given_characters(text: str) -> int:
	return sum(character not in WILDCARDS for character in text)
