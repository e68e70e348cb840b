# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The lists of this app open in the desk without an error."""

import pytest


@pytest.mark.parametrize("route", ["routed-method", "scheduler-config", "job-server", "scheduled-run"])
def test_a_list_opens_without_an_error(desk, route):
	user = desk()
	page = user.open(route)
	page.wait_for_selector(".frappe-list .result, .frappe-list .no-result", state="attached")
	user.screenshot(route)
	assert user.errors == [] and user.refused == []
