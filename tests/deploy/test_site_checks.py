# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What was found of the site itself is told under the id of its check; one finder that fails spoils no other."""

from read_replica.deploy import doctor, site_checks
from support.docs import Page


def test_each_kind_of_problem_is_told_under_its_id_and_one_that_cannot_be_found_is_not_known():
	def fails() -> list[str]:
		raise KeyError("no_such_column")

	findings = {check.id: list for check in site_checks.CHECKS}
	told = site_checks.Told(
		findings | {"last-tick": fails, "overdue-jobs": lambda: ["mail is 5 min late", "backup is 2 h late"]}
	)
	found = {one.id: one for one in doctor.run(site_checks.CHECKS, told)}
	assert {id for id, one in found.items() if one.status != "ok"} == {"last-tick", "overdue-jobs"}
	assert found["last-tick"].status == "unknown" and "no_such_column" in found["last-tick"].seen
	assert found["overdue-jobs"].status == "warn"
	assert found["overdue-jobs"].seen == "mail is 5 min late; backup is 2 h late"


def test_each_check_is_explained_where_its_link_leads():
	page = Page("docs/doctor.md")
	for one in site_checks.CHECKS:
		assert one.id in page.anchors and one.expected in page.text and one.fix in page.text
