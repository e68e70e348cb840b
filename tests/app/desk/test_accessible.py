# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""axe-core finds nothing wrong in what this app draws, in both themes; what is around it is Frappe's own."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe

from support.desk_counts import count_a_site_in_use, forget_counts

from ..conftest import in_another_worker

# The page, what shows that it has been drawn, and our containers.
DRAWN = {
	"replica-monitor": (".replica-monitor [data-panel=replicas] table", [".replica-monitor"]),
	"replica-help/second-server": (".replica-help h1", [".replica-help"]),
	"routed-methods": (".rm-rows tbody tr", [".routed-methods"]),
	"read-replica-settings": (
		".rr-replicas",
		[".rr-overview", ".rr-replicas", ".frappe-control[data-fieldname=keys]"],
	),
}


@pytest.fixture(autouse=True)
def in_use(desk_bench) -> Iterator[None]:
	in_another_worker(count_a_site_in_use)
	yield
	in_another_worker(forget_counts)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("route", DRAWN)
def test_axe_finds_nothing_in_what_this_app_draws(desk, route, theme):
	drawn, containers = DRAWN[route]
	user = desk()
	page = user.open(route)
	page.wait_for_selector(drawn)
	user.use_theme(theme)
	for container in containers:
		found = Axe().run(page, context=container).response["violations"]
		assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def test_a_suggestion_is_taken_by_the_keyboard_alone(desk):
	user = desk()
	page = user.open("routed-methods")
	page.locator("[data-take]").first.focus()
	page.keyboard.press("Enter")
	page.wait_for_function("document.querySelectorAll('.rm-suggestions tbody tr').length === 1")
	page.locator(".rm-search").focus()
	page.keyboard.press("Tab")
	assert page.evaluate("document.activeElement.classList.contains('rm-reads')")
