# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Texts that are made in English, and are said in the language of whoever reads them.

A finding is made where nobody knows who will read it: in a thread without a site, or an hour before it is shown. Logs,
JSON and the command line are in English; the desk is in the language of its user. After Django's lazy translations
and gettext: what is translated is the template, and values are put into that.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

PLACEHOLDER = re.compile(r"\{(\d+)\}")
WORD = re.compile(r"\w")

Span = tuple[int, int]


class Sentence(str):
	"""An English text that knows its template and what was put into it; for whoever wants a str, it is that text.

	:param template: the text with {0}, {1} … in place of values; all other braces stand for themselves
	:param values: a Sentence among them is said in turn; anything else is put in as its str, whatever it contains
	:raises IndexError: if the template has a placeholder without a value
	"""

	template: str
	values: tuple[str, ...]

	def __new__(cls, template: str, *values: object) -> "Sentence":
		texts = tuple(value if isinstance(value, Sentence) else str(value) for value in values)
		made = super().__new__(cls, _filled(template, texts))
		made.template, made.values = str(template), texts
		return made

	def __reduce__(self) -> tuple[Any, ...]:
		# A str would be copied and pickled by its text alone.
		return Sentence, (self.template, *self.values)

	@staticmethod
	def joined(separator: str, parts: Iterable[str]) -> "Sentence":
		"""Returns one text of several, each of which is said by itself."""
		found = tuple(parts)
		return Sentence(separator.join(f"{{{place}}}" for place in range(len(found))), *found)

	def said(self, translate: Callable[[str], str]) -> str:
		"""Returns it in another language; a template whose translation lacks a placeholder is left in English.

		:param translate: returns the translation of a template, or the template if there is none
		"""
		# A template without a word of its own, as of `joined`, is the same in each language.
		template = (
			translate(self.template) if WORD.search(PLACEHOLDER.sub("", self.template)) else self.template
		)
		if _placeholders(template) != _placeholders(self.template):
			template = self.template
		return _filled(template, [said(value, translate) for value in self.values])

	def with_replaced(self, pattern: re.Pattern[str], by: str) -> str:
		"""Returns it with what a pattern finds in its values replaced, as they stand in its English.

		What it finds in templates alone stays: those are this app's own words. It is still a Sentence, unless
		something that is found stands in more than one value, or in a value and a template; then it is a str.
		"""
		inside = self._spans_of_values()
		spans = [
			(begin, end)
			for begin, end in (one.span() for one in pattern.finditer(self))
			if any(begin < last and first < end for first, last in inside)
		]
		english = _cut(self, spans, by)
		found = self._with_replaced(spans, by)
		return found if found == english else english

	def _places(self) -> Iterator[tuple[int, Span]]:
		"""Yields the number of each value, with where it stands in its English."""
		begin = 0
		for piece in re.split(r"(\{\d+\})", self.template):
			placeholder = PLACEHOLDER.fullmatch(piece)
			end = begin + len(self.values[int(placeholder[1])] if placeholder else piece)
			if placeholder:
				yield int(placeholder[1]), (begin, end)
			begin = end

	def _spans_of_values(self) -> list[Span]:
		"""Returns where values stand in its English, those of inner Sentences alone."""
		spans = []
		for number, (begin, end) in self._places():
			value = self.values[number]
			inner = value._spans_of_values() if isinstance(value, Sentence) else [(0, end - begin)]
			spans += [(begin + first, begin + last) for first, last in inner]
		return spans

	def _with_replaced(self, spans: Sequence[Span], by: str) -> "Sentence":
		values = list(self.values)
		for number, (begin, end) in self._places():
			value = self.values[number]
			inside = [
				(first - begin, last - begin) for first, last in spans if begin <= first and last <= end
			]
			replaced = value._with_replaced if isinstance(value, Sentence) else partial(_cut, value)
			values[number] = replaced(inside, by)
		return Sentence(self.template, *values)


def _filled(template: str, values: Sequence[str]) -> str:
	"""Returns a template with its values; not by str.format, as both may have other braces, such as those of JSON."""
	return PLACEHOLDER.sub(lambda found: values[int(found[1])], template)


def _placeholders(template: str) -> set[str]:
	return set(PLACEHOLDER.findall(template))


def _cut(text: str, spans: Sequence[Span], by: str) -> str:
	for first, last in reversed(spans):
		text = text[:first] + by + text[last:]
	return text


def said(text: str, translate: Callable[[str], str]) -> str:
	"""Returns a text in another language if it is a Sentence; any other, such as a server's own words, as it is."""
	return text.said(translate) if isinstance(text, Sentence) else text


def looked_up(text: str) -> str:
	"""Returns an English text without values as a Sentence again, as another process tells it by its text alone."""
	return text if isinstance(text, Sentence) or PLACEHOLDER.search(text) else Sentence(text)


def sentence_of(error: BaseException) -> str:
	"""Returns what an error says: the Sentence that it was raised with, or its text."""
	[said_of_it] = error.args if len(error.args) == 1 else (None,)
	return said_of_it if isinstance(said_of_it, Sentence) else str(error)


def to_plain(text: str) -> Any:
	"""Returns a text as JSON can keep it: a Sentence as a list of its template and its values, any other as itself."""
	if not isinstance(text, Sentence):
		return str(text)
	return [text.template, *map(to_plain, text.values)]


def from_plain(plain: Any) -> str:
	"""Returns the text that `to_plain` was given.

	:raises ValueError: if it is something else
	"""
	if isinstance(plain, str):
		return plain
	if not isinstance(plain, list) or not plain or not isinstance(plain[0], str):
		raise ValueError(f"this is no sentence: {plain!r}")
	try:
		return Sentence(plain[0], *map(from_plain, plain[1:]))
	except IndexError:
		raise ValueError(f"a value of this sentence is missing: {plain!r}") from None
