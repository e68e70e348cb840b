# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a call may ask for, and what one scope means for the next."""

import pytest

from read_replica.engine.settings import DEFAULTS, CompleteNeed, Need


@pytest.mark.parametrize(
	("argument", "value"),
	[
		("max_lag", -1),
		("max_lag", "5"),
		("max_lag", True),
		("max_lag", float("nan")),
		("timeout", 0),
		("timeout", -3),
		("consistency", "strict"),
		("consistency", ""),
		("pool", ""),
		("pool", 3),
		("on_unavailable", "replica"),
		("on_write", None.__class__),
	],
)
def test_a_value_without_meaning_is_refused_by_the_arguments_name(argument, value):
	with pytest.raises((TypeError, ValueError), match=argument):
		Need(**{argument: value})


def test_what_is_left_open_is_taken_from_the_defaults():
	need = Need(max_lag=0, pool="reports").or_else(DEFAULTS)
	assert need == CompleteNeed(0, "session", "reports", 300, "primary", "primary")


@pytest.mark.parametrize(
	("asked", "met"),
	[
		({}, True),
		({"consistency": "eventual"}, True),
		({"consistency": "strong"}, False),
		({"max_lag": 30}, True),
		({"max_lag": 60}, True),
		({"max_lag": 5}, False),
		({"pool": "reports"}, False),
		({"on_write": "primary"}, True),
		({"on_write": "error"}, False),
		({"on_unavailable": "error"}, False),
	],
)
def test_an_open_scope_serves_a_call_that_asks_for_no_more(asked, met):
	assert Need(**asked).is_met_by(DEFAULTS) is met
