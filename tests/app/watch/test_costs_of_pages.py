# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a refresh of each page of the desk costs the primary, with the site in use."""

from collections.abc import Iterator

import pytest

from support.desk_counts import count_a_site_in_use, forget_counts

from ..conftest import in_another_worker, overheard
from ..test_request_counts import SELECT

MOST_SELECTS = 5
REFRESHES = 3

# What each page asks for as it is refreshed.
PAGES = {
	"Replica Monitor": ["replica_monitor"],
	"Routed Methods": ["routed_methods"],
	"Read Replica Settings": ["settings_overview"],
	"Replica Help": ["help_page"],
}


@pytest.fixture(autouse=True)
def in_use(configured) -> Iterator[None]:
	in_another_worker(count_a_site_in_use)
	yield
	in_another_worker(forget_counts)


@pytest.mark.parametrize("page", PAGES)
def test_a_refresh_of_a_page_asks_the_primary_for_five_rows_at_most(browser, servers, page):
	def refresh() -> None:
		for method in PAGES[page]:
			answer = browser.request(f"/api/method/read_replica.api.{method}")
			assert answer.status_code == 200 and answer.json["message"], answer.text

	refresh()
	with overheard(servers.primary) as heard:
		for _ in range(REFRESHES):
			refresh()
		# Questions of the health check begin as others do, and are not for this page.
		selects = [line for line in heard().splitlines() if SELECT.match(line) and "@@" not in line]
	assert len(selects) <= REFRESHES * MOST_SELECTS, selects
	if page != "Replica Help":
		assert len(selects) >= REFRESHES, "nothing was overheard"
