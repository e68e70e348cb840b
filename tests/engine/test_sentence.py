# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A text is made in English once, and said in any language later, with the same values in it."""

import copy
import json
import pickle
import re
from dataclasses import asdict, dataclass

import pytest

from read_replica.engine.sentence import Sentence, from_plain, looked_up, said, sentence_of, to_plain

GERMAN = {
	"{0} lacks {1}": "auf {0} fehlen {1}",
	"{0} and {1} more": "{0} und {1} weitere",
	"the clock is {0} s {1}": "{1} um {0} s",
}
NAMES = Sentence("{0} and {1} more", "tabItem, tabBin", 3)
LACKS = Sentence("{0} lacks {1}", "replica01", NAMES)


def german(template: str) -> str:
	return GERMAN.get(template, template)


def test_it_is_the_english_text_wherever_one_is_wanted():
	assert LACKS == "replica01 lacks tabItem, tabBin and 3 more" and hash(LACKS) == hash(str(LACKS))
	assert f"{LACKS}" == str(LACKS) and type(str(LACKS)) is str
	assert json.dumps(LACKS) == '"replica01 lacks tabItem, tabBin and 3 more"'
	assert repr(LACKS) == "'replica01 lacks tabItem, tabBin and 3 more'"


def test_it_is_said_in_another_language_and_so_is_a_sentence_among_its_values():
	assert LACKS.said(german) == "auf replica01 fehlen tabItem, tabBin und 3 weitere"
	assert said(LACKS, german) == LACKS.said(german) and type(said(LACKS, german)) is str


def test_a_text_that_is_no_sentence_is_said_as_it_is():
	assert said("error 1045: Access denied", german) == "error 1045: Access denied"


def test_a_text_without_a_translation_stays_english_and_its_values_are_said():
	assert Sentence("{0} has {1}", "app2", NAMES).said(german) == "app2 has tabItem, tabBin und 3 weitere"


def test_a_translation_may_have_another_order():
	assert Sentence("the clock is {0} s {1}", 3, "ahead").said(german) == "ahead um 3 s"


@pytest.mark.parametrize("wrong", ["auf {0} fehlt etwas", "{0} {1} {2}", "{0} {9}", "nichts", ""])
def test_a_translation_with_other_placeholders_is_left_in_english(wrong):
	assert Sentence("{0} lacks {1}", "a", "b").said(lambda _: wrong) == "a lacks b"


def test_braces_in_a_value_and_braces_of_json_in_a_template_stand_for_themselves():
	example = Sentence('Write {"job": "{0}"}, not {1}', "a.b", "{0} {x} {")
	assert example == 'Write {"job": "a.b"}, not {0} {x} {'
	assert (
		example.said(lambda _: 'Nicht {1}, sondern {"job": "{0}"}')
		== 'Nicht {0} {x} {, sondern {"job": "a.b"}'
	)


def test_a_template_with_a_placeholder_too_many_is_an_error_where_it_is_made():
	with pytest.raises(IndexError):
		Sentence("{0} lacks {1}", "replica01")


def test_parts_are_joined_and_each_is_said_by_itself():
	joined = Sentence.joined("; ", [LACKS, "error 2003", Sentence("{0} lacks {1}", "replica02", "tabBin")])
	assert joined == f"{LACKS}; error 2003; replica02 lacks tabBin"
	assert joined.said(german) == f"{LACKS.said(german)}; error 2003; auf replica02 fehlen tabBin"
	assert Sentence.joined("; ", []) == ""


@pytest.mark.parametrize("separator", ["; ", " ", ""])
def test_what_has_no_word_of_its_own_is_not_looked_up(separator):
	"""Frappe's translations of some languages have an entry for "{0}" or for nothing."""

	def strange(template: str) -> str:
		return f"[{template}]"

	assert Sentence.joined(separator, []).said(strange) == ""
	assert Sentence.joined(separator, ["a", "b"]).said(strange) == f"a{separator}b"
	assert Sentence("{0}", "a").said(strange) == "a" and Sentence("no {0}", "a").said(strange) == "[no a]"


# By its text alone, one with braces in a value would be taken for a template that lacks a value.
@pytest.mark.parametrize("sentence", [LACKS, Sentence("{0} lacks {1}", "replica01", "{7}")])
def test_it_is_the_same_after_a_copy_a_pickle_and_a_dataclass_as_a_dict(sentence):
	@dataclass
	class Finding:
		seen: str

	for again in (
		copy.copy(sentence),
		copy.deepcopy([sentence])[0],
		pickle.loads(pickle.dumps(sentence)),
		asdict(Finding(sentence))["seen"],
		from_plain(json.loads(json.dumps(to_plain(sentence)))),
	):
		assert again == sentence and type(again) is Sentence
		assert (again.template, again.values) == (sentence.template, sentence.values)
		assert again.said(german) == sentence.said(german)


def test_an_english_text_of_another_process_is_said_and_one_with_braces_stays_as_it_is():
	assert said(looked_up("no answer"), {"no answer": "keine Antwort"}.get) == "keine Antwort"
	assert looked_up(LACKS) is LACKS
	assert said(looked_up("bad JSON: {0}"), lambda _: "else") == "bad JSON: {0}"


def test_a_text_that_is_no_sentence_is_kept_as_itself():
	assert from_plain(to_plain("error 2003")) == to_plain("error 2003") == "error 2003"


@pytest.mark.parametrize("wrong", [None, 5, [], [5], ["{0}"], ["{0}", None], {"template": "{0}"}])
def test_what_is_no_sentence_is_refused_when_it_is_read_again(wrong):
	with pytest.raises(ValueError, match="sentence"):
		from_plain(wrong)


def test_an_error_is_said_by_the_sentence_that_it_was_raised_with():
	assert sentence_of(ValueError(LACKS)) is LACKS and str(ValueError(LACKS)) == LACKS
	assert sentence_of(ValueError("plain")) == "plain" and sentence_of(OSError(2, "none")) == str(
		OSError(2, "none")
	)


SECRET = re.compile(r"(?<=')site_ro(?=')|(?<=user )site_ro")


@pytest.mark.parametrize(
	("sentence", "english"),
	[
		(Sentence("{0} is read by user {1}", "replica01", "site_ro"), "replica01 is read by user …"),
		(Sentence("{0} refuses '{1}'", "replica01", "site_ro"), "replica01 refuses '…'"),
		(Sentence("{0} says: {1}", "replica01", "denied for 'site_ro'"), "replica01 says: denied for '…'"),
		(
			Sentence("{0}: {1}", "a", Sentence("not user {0} or '{1}'", "site_ro", "site_ro")),
			"a: not user … or '…'",
		),
		(Sentence.joined("; ", [Sentence("user {0}", "site_ro"), "site_ro"]), "user …; site_ro"),
	],
)
def test_a_secret_in_a_value_is_left_out_as_in_the_english_text_wherever_its_context_stands(
	sentence, english
):
	without = sentence.with_replaced(SECRET, "…")
	assert without == english == SECRET.sub("…", sentence) and isinstance(without, Sentence)
	assert "'site_ro'" not in json.dumps(to_plain(without)) and without.template == sentence.template


@pytest.mark.parametrize(
	"sentence",
	[
		Sentence("it is user site_{0}", "ro"),
		Sentence("it is user {0}{1}", "site", "_ro"),
		Sentence("it is user {0}", Sentence("site_{0}", "ro")),
		Sentence("user {0} is not {0}", "site_ro"),
	],
)
def test_of_a_secret_that_stands_not_in_one_value_alone_the_english_text_is_kept_without_it(sentence):
	without = sentence.with_replaced(SECRET, "…")
	assert without == SECRET.sub("…", sentence) and type(without) is str
	assert "…" in without and from_plain(to_plain(without)) == without


def test_a_user_who_is_called_like_a_word_of_a_template_takes_nothing_away_from_that():
	told = Sentence('{0}: write "replica", and then user replica or {1}', "'replica'", Sentence("'replica'"))
	without = told.with_replaced(re.compile(r"(?<=['\"])replica(?=['\"])|(?<=user )replica"), "…")
	assert without == """'…': write "replica", and then user replica or 'replica'"""
	assert isinstance(without, Sentence) and without.template == told.template
