# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which of many patterns is the most specific one for a name."""

from read_replica.config.patterns import Patterns


def test_the_exact_name_counts_first_then_the_pattern_with_the_most_characters():
	texts = ("a.b.c", "a.b.*", "a.*", "*", "a.?.c", "b.[x]*")
	found = Patterns((text, text) for text in texts)
	for name, expected in (
		("a.b.c", "a.b.c"),
		("a.b.d", "a.b.*"),
		("a.x.c", "a.?.c"),
		("a.x", "a.*"),
		("x", "*"),
		("b.[x]1", "b.[x]*"),
		("b.x1", "*"),
	):
		assert found.find(name) == expected
	assert Patterns(()).find("a") is None


def test_of_two_as_specific_the_first_by_the_alphabet_counts():
	for texts in (("a.*", "*.a"), ("*.a", "a.*")):
		assert Patterns((text, text) for text in texts).find("a.a") == "*.a"
