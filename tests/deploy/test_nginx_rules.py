# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""nginx decides by its maps as the policy decides by its rules, and stays on the app server where it cannot see enough."""

import random
import re
from fnmatch import fnmatchcase

from read_replica.config.patterns import Patterns
from read_replica.deploy.nginx_maps import Names, http_directives
from read_replica.deploy.nginx_rules import (
	HIDES_ITS_SUBJECT,
	IS_A_PAGE,
	IS_UNSAFE,
	Policy,
	Rule,
	Visible,
	visible,
)

NAMES = Names("mybench-frappe")
NEVER = ("*.make_*", "frappe.auth.*")


def decided_by(seen: Visible, variable: str, value: str) -> str:
	"""What nginx makes of a value by the map to a variable: the first expression that matches."""
	maps = http_directives(NAMES, seen, [["127.0.0.1:8000"]], "10.0.0.3:8000", "reporting")
	[block] = [each["block"] for each in maps if each["directive"] == "map" and each["args"][1] == variable]
	default, *entries = [(each["directive"], each["args"][0]) for each in block]
	assert default[0] == "default" and all(key.startswith("~") or "/" not in key for key, _ in entries)
	return next((to for key, to in entries if re.search(key.removeprefix("~"), value)), default[1])


def policy_of(sets: list[list[Rule]], decorated: tuple[str, ...] = ()) -> Policy:
	"""The policy of sets of rules, found anew for each call as rules of methods are."""

	def where(name: str, subject: str) -> str | None:
		if any(fnmatchcase(name, pattern) for pattern in NEVER):
			return "primary"
		for rules in sets:
			named = {rule.name: rule.where for rule in rules}
			of_subjects = Patterns((key, value) for key, value in named.items() if key.endswith(")"))
			of_all = Patterns((key, value) for key, value in named.items() if not key.endswith(")"))
			found = (of_subjects.find(f"{name}({subject})") if subject else None) or of_all.find(name)
			if found:
				return found
		return None

	def reads(name: str, subject: str) -> bool:
		found = where(name, subject)
		return name in decorated if found in (None, "default") else found == "replica"

	return Policy(reads, sets, NEVER, decorated)


def test_nginx_decides_as_the_policy_for_every_method_that_it_can_see():
	chance = random.Random(17)
	words = ("frappe", "erpnext", "stock", "get", "make_x", "auth")
	names = [f"{a}.{b}.{c}" for a in words for b in words for c in words]
	patterns = ["*", "frappe.*", "*.get", "frappe.stock.*", "erpnext.???.*", "*.stock.*", "frappe.au*"]
	routed = 0
	for _ in range(60):
		sets = [
			[
				Rule(name, chance.choice(("replica", "primary", "default")))
				for name in chance.sample(names + patterns * 10, 12)
			]
			for _ in range(3)
		]
		decorated = tuple(chance.sample(names, 5))
		policy = policy_of(sets, decorated)
		seen = visible(policy)
		for name in chance.sample(names, 40):
			by_nginx = decided_by(seen, NAMES.method_reads, name) == "1"
			assert by_nginx == policy.reads(name, ""), (name, sets)
			routed += by_nginx
	assert routed > 200


def test_nginx_decides_as_the_policy_for_every_list():
	chance = random.Random(18)
	doctypes = ["Item", "Item Price", "Sales Invoice", "Sales Order", "ToDo"]
	rules = [
		"/api/resource",
		"/api/*",
		*(f"/api/resource({one})" for one in (*doctypes, "Sales*", "*", "Item?Price")),
	]
	routed = stayed = 0
	for _ in range(150):
		sets = [
			[Rule(name, chance.choice(("replica", "primary"))) for name in chance.sample(rules, 3)]
			for _ in range(3)
		]
		policy = policy_of(sets)
		seen = visible(policy)
		for doctype in doctypes:
			by_nginx = decided_by(seen, NAMES.list_reads, f"GET:/api/resource/{doctype}?") == "1"
			assert by_nginx == policy.reads("/api/resource", doctype), (doctype, sets)
			assert decided_by(seen, NAMES.list_reads, f"POST:/api/resource/{doctype}?") == "0"
			routed, stayed = routed + by_nginx, stayed + (not by_nginx)
	assert routed > 100 and stayed > 100


def test_rules_that_nginx_cannot_follow_are_left_out_with_the_reason():
	rules = [
		Rule("frappe.client.get_list", "replica"),
		Rule("frappe.client.get_list(Item)", "primary"),
		Rule("/app", "replica"),
		Rule("Buyer's API", "replica"),
	]
	seen = visible(policy_of([rules]))
	assert [route.name for route in seen.methods] == ["frappe.client.get_list"]
	assert [(left.rule, left.reason) for left in seen.left_out] == [
		("frappe.client.get_list(Item)", HIDES_ITS_SUBJECT),
		("/app", IS_A_PAGE),
		("Buyer's API", IS_UNSAFE),
	]


def test_no_name_of_a_rule_can_say_anything_else_in_the_configuration():
	for wicked in ('x"; }', "x; include /etc/passwd", "x$uri", "x\n}", "x{2}", "x\\", "x # y", "x' 1; y"):
		seen = visible(policy_of([[Rule(wicked, "replica"), Rule(f"/api/resource({wicked})", "replica")]]))
		assert seen.methods == [] and seen.lists["/api/resource"] == [] and len(seen.left_out) == 2
	odd = "Café (2) & Co, Ltd: [A/B]+.x"
	seen = visible(policy_of([[Rule(odd.replace("(2) ", ""), "replica")]]))
	assert decided_by(seen, NAMES.method_reads, odd.replace("(2) ", "")) == "1"
	assert decided_by(seen, NAMES.method_reads, odd.replace("(2) ", "").replace(".", "-")) == "0"


def test_a_long_module_fills_several_lines_that_nginx_can_read():
	names = [f"app.module.{'method_' * 10}{number}" for number in range(200)]
	seen = visible(policy_of([[Rule(name, "replica") for name in names]]))
	maps = http_directives(NAMES, seen, [["127.0.0.1:8000"]], "10.0.0.3:8000", "reporting")
	assert max(len(each["directive"]) for one in maps for each in one.get("block", ())) < 4096
	assert all(decided_by(seen, NAMES.method_reads, name) == "1" for name in names)
