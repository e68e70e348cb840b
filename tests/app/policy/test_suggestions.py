# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What could read on a replica is suggested by what was counted, and nothing that has ever written."""

import time
from dataclasses import replace

import pytest

from read_replica.engine.shared.request_counts import RequestTally
from read_replica.policy.rule_set import MethodRule, RuleSet
from read_replica.policy.rules import Rules
from read_replica.policy.suggestions import LEAST_CALLS, suggestions

# Whether a method is decorated is asked of the apps of a site.
pytestmark = pytest.mark.usefixtures("site")

NOW = time.time()
DAY = 24 * 3600
# Five seconds of the primary in each hour of three days.
READS_MUCH = RequestTally(
	calls=LEAST_CALLS, primary_seconds=360, first_seen=NOW - 3 * DAY, last_seen=NOW, primary_statements=900
)


def suggested(counted: dict[str, RequestTally], *rules: MethodRule) -> list[str]:
	return [one.name for one in suggestions(counted, Rules("", (RuleSet(rules),)))]


def test_what_reads_much_and_has_never_written_is_suggested_with_what_that_takes_off_the_primary():
	more = replace(READS_MUCH, primary_seconds=720)
	[first, second] = suggestions({"a.b": READS_MUCH, "a.c(Item)": more}, Rules("", ()))
	assert (first.name, second.name) == ("a.c(Item)", "a.b")
	assert (first.seconds_an_hour, second.seconds_an_hour) == (10, 5)
	assert "never written in 200 calls" in second.reason and "5.0 s an hour" in second.reason


def test_what_is_not_known_well_or_has_written_is_not_suggested():
	for change in (
		{"calls": LEAST_CALLS - 1},
		{"first_seen": NOW - 1.9 * DAY},
		{"writes": 1},
		{"last_write": NOW - DAY},
		{"primary_seconds": 1},
	):
		assert suggested({"a.b": replace(READS_MUCH, **change)}) == [], change


def test_what_has_a_rule_is_never_routed_or_is_a_job_is_not_suggested():
	counted = dict.fromkeys(
		("frappe.desk.form.load.getdoc(Item)", "job:a.b", "a.b(Item)", "a.b(Customer)"), READS_MUCH
	)
	assert suggested(counted, MethodRule("a.b(Item)", "default", "desk")) == ["a.b(Customer)"]


def test_what_is_decorated_or_has_a_name_that_would_be_another_rule_is_not_suggested(site):
	names = (
		"sample_app.api.decorated",
		"sample_app.api.decorated_by_core",
		"a.b(It(em)",
		"a.b(Item) ",
		"a.b(x",
	)
	counted = dict.fromkeys((*names, "sample_app.api.undecorated", "a.b(c (d))"), READS_MUCH)
	assert set(suggested(counted)) == {"a.b(c (d))", "a.b(It(em)", "sample_app.api.undecorated"}


def test_what_has_written_for_a_website_user_is_suggested_for_no_subject():
	counted = {
		"a.b(Item)": READS_MUCH,
		"a.b": replace(READS_MUCH, calls=1, writes=1),
		"a.c(Item)": READS_MUCH,
	}
	assert suggested(counted) == ["a.c(Item)"]
