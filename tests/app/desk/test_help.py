# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The page Replica Help shows the docs in the desk, and each link in them leads to where it says."""

import pytest

from read_replica.watch import help_pages
from support import docs
from support.desk_browser import PHONE

ROUTE = "replica-help"


def shown(page, title: str) -> None:
	page.locator(".replica-help article h1", has_text=title).wait_for()


def heading_is_in_view(page, id: str) -> None:
	page.wait_for_function(
		"""(id) => {
			const found = document.getElementById(id);
			const top = found && found.getBoundingClientRect().top;
			return found && top > 40 && top < 400;
		}""",
		arg=id,
	)


def test_all_pages_of_the_docs_are_listed_and_shown_by_a_click(desk, desk_bench):
	user = desk()
	page = user.open(ROUTE)
	shown(page, "Replica Monitor")
	links = page.locator(".replica-help nav a")
	assert links.count() == len(list(help_pages.FOLDER.glob("*.md"))) == len(help_pages.PAGES)
	links.filter(has_text="The doctor").click()
	shown(page, "The doctor")
	assert page.evaluate("frappe.get_route()") == [ROUTE, "doctor"]
	user.screenshot("help-light")
	user.use_theme("dark")
	user.screenshot("help-dark")
	page.go_back()
	shown(page, "Replica Monitor")
	assert user.errors == [] and user.refused == []


def test_an_address_with_a_heading_opens_there(desk, desk_bench):
	page = desk().open(f"{ROUTE}/doctor/binlog-format")
	shown(page, "The doctor")
	heading_is_in_view(page, "rh-binlog-format")


def test_each_link_of_the_docs_leads_to_a_heading_that_the_desk_shows(desk, desk_bench):
	user = desk()
	page = user.open(ROUTE)
	shown(page, "Replica Monitor")
	headings, links = {}, set()
	for name in help_pages.PAGES:
		user.move(ROUTE, name)
		shown(page, docs.Page(f"docs/{name}.md").headings[0])
		found = page.locator(".replica-help article")
		headings[name] = set(
			found.evaluate("(one) => [...one.querySelectorAll('[id^=rh-]')].map((h) => h.id)")
		)
		links |= {
			tuple(link)
			for link in found.evaluate(
				"(one) => [...one.querySelectorAll('a')].map((a) => a.pathname.split('/').slice(2))"
				".filter((parts) => parts[0] === 'replica-help').map(([, page, id = '']) => [page, id])"
			)
		}
	assert len(links) > 30
	for name, anchor in sorted(links):
		assert not anchor or f"rh-{anchor}" in headings[name], f"{name}#{anchor} leads nowhere"


def test_names_with_underscores_and_tables_are_shown_as_they_are_written(desk, desk_bench):
	page = desk().open(f"{ROUTE}/configuration")
	shown(page, "Configuration")
	article = page.locator(".replica-help article")
	assert "site_config.json" in article.inner_text() and "common_site_config.json" in article.inner_text()
	assert article.locator("table").count() >= 5 and article.locator("pre").count() >= 5
	assert "```" not in article.inner_text() and "|---" not in article.inner_text()


def test_a_page_that_is_not_there_is_said_to_be_missing(desk, desk_bench):
	user = desk()
	page = user.open(f"{ROUTE}/no-such-page")
	page.locator(".replica-help article p", has_text="The docs have no page no-such-page").wait_for()
	assert page.locator(".replica-help nav a").count() == len(help_pages.PAGES)


@pytest.mark.parametrize("name", ["../read_replica/api", "/etc/passwd", "second-server.md", "<b>"])
def test_no_file_but_the_pages_is_shown(name):
	assert help_pages.page(name)["html"] == "" and help_pages.page()["html"]


def test_it_fits_a_phone(desk, desk_bench):
	user = desk(viewport=PHONE)
	page = user.open(f"{ROUTE}/jobs")
	shown(page, "")
	user.screenshot("help-phone")
	assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
