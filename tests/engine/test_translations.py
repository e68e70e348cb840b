# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Each text that the desk shows of this app is there in German and in Hindi, with its placeholders."""

import re
from pathlib import Path

import pytest

from read_replica.deploy import site_checks
from support import strings
from support.strings import (
	put_in_as_html,
	sentences_without_a_literal,
	texts,
	thrown_without_translation,
	told_without_a_sentence,
	translated,
)

LANGUAGES = ("de", "hi")

# A translation counts for all apps of a site. ERPNext calls a subcontractor so.
MEANS_SOMETHING_ELSE_ELSEWHERE = {"Job Worker"}

every_language = pytest.mark.parametrize("language", LANGUAGES)


def kept(text: str) -> list[str]:
	"""What a translation must keep: placeholders, and code."""
	return sorted(re.findall(r"\{\d\}|<code>.*?</code>", text))


def names(text: str) -> set[str]:
	"""What is called the same in all languages: keys, options, files of a configuration, and commands."""
	return set(re.findall(r"\w+_\w+|--[\w-]+|[\w-]+\.(?:json|conf|cnf)|(?:SET|START|STOP|SHOW) [A-Z]+", text))


@every_language
def test_each_text_of_the_desk_is_translated(language):
	found = translated(language)
	missing = {text: file for text, file in texts().items() if not found.get(text)}
	assert missing.keys() <= MEANS_SOMETHING_ELSE_ELSEWHERE, missing


@every_language
def test_a_translation_keeps_placeholders_code_and_names(language):
	for text, translation in translated(language).items():
		assert kept(text) == kept(translation), text
		assert names(text) <= names(translation), text


@every_language
def test_no_translation_is_left_of_a_text_that_is_gone(language):
	assert not translated(language).keys() - texts().keys()


@every_language
def test_what_means_something_else_elsewhere_is_left_to_that(language):
	assert not translated(language).keys() & MEANS_SOMETHING_ELSE_ELSEWHERE


def test_what_is_thrown_in_the_desk_is_translated_where_it_is_thrown():
	found = thrown_without_translation(but_in=("cli", "deploy"))
	assert not found, found


def test_a_page_shows_each_translation_as_text():
	assert put_in_as_html() == []


def test_what_is_found_is_told_in_sentences_whose_templates_stand_in_the_code():
	assert sentences_without_a_literal() == [] == told_without_a_sentence()


@pytest.mark.parametrize(
	("code", "faults"),
	[
		('Trouble("warn", "it is off")', (0, 1)),
		('Trouble("warn", f"{name} is off")', (0, 1)),
		('Trouble("warn", "it is " + state)', (0, 1)),
		('Trouble("warn", "{0} is off".format(name))', (0, 1)),
		('Trouble("warn", "it is off" if is_off else Sentence("it is on"))', (0, 1)),
		('ConfigurationError(key, Sentence("is missing"), f"write {kind}")', (0, 1)),
		('Trouble("warn", Sentence(f"{name} is off"))', (1, 0)),
		('Trouble("warn", Sentence(template, name))', (1, 0)),
		('Trouble("warn", Sentence("{0} is off"\n\t" on {1}", name, server))', (0, 0)),
		('Trouble("skipped", f"skipped, because {reason}")', (0, 0)),
		('f"{name} is off"\nTrouble("warn", found)', (0, 1)),
		('Sentence("{0} is off", name)\nTrouble("warn", found)', (0, 0)),
	],
)
def test_a_text_that_cannot_be_translated_is_a_fault(code, faults, tmp_path, monkeypatch):
	(tmp_path / "some_checks.py").write_text(f"found = {code}\n")
	monkeypatch.setattr(strings, "PACKAGE", tmp_path)
	assert (len(sentences_without_a_literal()), len(told_without_a_sentence())) == faults


@every_language
def test_what_each_check_expects_and_what_mends_it_is_translated(language):
	found = translated(language)
	looked_at = [check for _file, check in strings.checks()]
	assert len(looked_at) > 60
	for check in looked_at:
		assert found.get(check.expected), check.id
		assert found.get(check.fix) or strings.COMMAND_ALONE.fullmatch(check.fix), check.id


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
		("{0} lacks {1}", "deploy/database_checks.py"),
		("a scheduler ticks on each server that has jobs", "deploy/site_checks.py"),
		("Raise dormant_days in System Settings", "deploy/site_checks.py"),
		("write 1 or 0", "config/checks.py"),
		("no answer", "engine/health/verdict.py"),
		("There is no text of this kind", None),
	):
		assert (found.get(text) or "").endswith(file or "") and (text in found) is (file is not None)
