# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Each text that the desk shows of this app is there in German and in Hindi, with its placeholders."""

import re

import pytest

from support.strings import texts, thrown_without_translation, translated

LANGUAGES = ("de", "hi")

# A translation counts for all apps of a site. ERPNext calls a subcontractor so.
MEANS_SOMETHING_ELSE_ELSEWHERE = {"Job Worker"}

every_language = pytest.mark.parametrize("language", LANGUAGES)


def kept(text: str) -> list[str]:
	"""What a translation must keep: placeholders, and code."""
	return sorted(re.findall(r"\{\d\}|<code>.*?</code>", text))


@every_language
def test_each_text_of_the_desk_is_translated(language):
	found = translated(language)
	missing = {text: file for text, file in texts().items() if not found.get(text)}
	assert missing.keys() <= MEANS_SOMETHING_ELSE_ELSEWHERE, missing


@every_language
def test_a_translation_keeps_placeholders_and_code(language):
	for text, translation in translated(language).items():
		assert kept(text) == kept(translation), text


@every_language
def test_no_translation_is_left_of_a_text_that_is_gone(language):
	assert not translated(language).keys() - texts().keys()


@every_language
def test_what_means_something_else_elsewhere_is_left_to_that(language):
	assert not translated(language).keys() & MEANS_SOMETHING_ELSE_ELSEWHERE


def test_what_is_thrown_in_the_desk_is_translated_where_it_is_thrown():
	found = thrown_without_translation(but_in=("cli", "deploy"))
	assert not found, found


def test_the_texts_of_code_and_of_what_frappe_syncs_are_found():
	found = texts()
	for text, file in (
		("Ran in the Last Seven Days", "read_replica/page/routed_methods/routed_methods.js"),
		("The shipped list", "watch/desk_methods.py"),
		("Raise an Error", "read_replica/doctype/read_replica_settings/read_replica_settings.json"),
		("Where Jobs Run", "read_replica/workspace/replicas/replicas.json"),
		("Read Replica Viewer", ".json"),
		("Read Replica", "modules.txt"),
		("It counts documents.", "policy/shipped.py"),
		("its server {0} was last seen {1} min ago", "watch/overdue.py"),
		("There is no text of this kind", None),
	):
		assert (found.get(text) or "").endswith(file or "") and (text in found) is (file is not None)
