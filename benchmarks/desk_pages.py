# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The pages of the walk, as users of ERPNext know them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from benchmarks import desk_data
from support import erpnext_site

# Those of v15, and of v16 where they have other names.
WORKSPACES = ("Home", "Accounting", "Invoicing", "Selling", "Buying", "Stock", "CRM")

WEEK, MONTH = {"from_date": erpnext_site.day(-7)}, {"from_date": erpnext_site.day(-30)}
REPORTS = {
	"Stock Ledger": WEEK,
	"Stock Balance": MONTH,
	"General Ledger": WEEK | {"group_by": "Group by Voucher (Consolidated)"},
	"Accounts Receivable": {},
}

PICK_GROUPS = "() => cur_list.page.sidebar.find('.group-by-field > a').each((_, link) => link.click())"
SEARCH_CUSTOMER = """() => {
	const input = cur_frm.fields_dict.customer.$input;
	input.trigger("focus").val("Walk").trigger("input");
}"""
SEARCH_ALL = "() => frappe.searchdialog.search.init_search('Soak', 'global_search')"
OPEN_BRANCH = "() => $('.tree-link:visible').eq(1).click()"


@dataclass(frozen=True)
class Page:
	"""One page of the desk.

	:param path: below the desk's root, as an address and as a route have it; from the server's root with a slash,
		for what is no page of the desk
	:param shows: a CSS selector of what is there once the page stands
	:param options: what the address has after its question mark
	:param then: JavaScript, for what users do next on it
	"""

	name: str
	path: str
	shows: str
	options: dict[str, str] = field(default_factory=dict)
	then: str = ""

	@property
	def is_in_desk(self) -> bool:
		return not self.path.startswith("/")


# Where a day in the desk begins: none of the pages that are counted.
FIRST = Page("Where the day begins", "user/view/list", ".list-row")


def pages(version: int, documents: dict[str, str], workspaces: Iterable[str]) -> list[Page]:
	"""All of them, in the order of the walk.

	:param version: Frappe's
	:param documents: names of documents to open, by doctype
	:param workspaces: those that the site has
	"""
	return [
		*(_workspace(name) for name in WORKSPACES if name in workspaces),
		_list("Item", then=PICK_GROUPS),
		_list("Sales Invoice", then=PICK_GROUPS),
		_list("Stock Entry"),
		_list("ToDo"),
		_list("Customer"),
		_list("Stock Ledger Entry"),
		*(_form(doctype, documents[doctype]) for doctype in documents if doctype != "Event"),
		*(_report(name, **filters) for name, filters in REPORTS.items()),
		Page("Report builder: Sales Invoice", "sales-invoice/view/report", ".dt-row [data-row-index='1']"),
		*(_dashboard(name) for name in ("Stock", "Accounts")),
		Page("Tree: Account", "account/view/tree", ".tree-children .tree-link", then=OPEN_BRANCH),
		Page("Calendar: Event", "event/view/calendar", ".fc-event"),
		Page("Kanban: ToDo", f"todo/view/kanban/{desk_data.BOARD}", ".kanban-card"),
		Page("Link search", "sales-order/new", "[data-fieldname=customer] input", then=SEARCH_CUSTOMER),
		Page("Global search", "todo/view/list", ".list-row", then=SEARCH_ALL),
		*_rest_lists(version),
	]


def _workspace(name: str) -> Page:
	return Page(f"Workspace: {name}", _slug(name), ".layout-main .widget")


def _list(doctype: str, then: str = "") -> Page:
	return Page(f"List: {doctype}", f"{_slug(doctype)}/view/list", ".list-row .list-subject", then=then)


def _form(doctype: str, name: str) -> Page:
	return Page(
		f"Form: {doctype}", f"{_slug(doctype)}/{name}", ".form-layout .form-section, .form-layout .row"
	)


def _report(name: str, **filters: str) -> Page:
	options = {"company": erpnext_site.COMPANY, "to_date": erpnext_site.day()} | filters
	return Page(f"Report: {name}", f"query-report/{name}", ".datatable .dt-row-0", options)


def _dashboard(name: str) -> Page:
	return Page(
		f"Dashboard: {name}", f"dashboard-view/{name}", ".widget.dashboard-widget-box .chart-container"
	)


def _rest_lists(version: int) -> list[Page]:
	lists = [
		Page("REST: Item", "/api/resource/Item", "body", {"limit_page_length": "100"}),
		Page("REST: Sales Invoice", f"/api/resource/{quote('Sales Invoice')}", "body", {"fields": '["*"]'}),
	]
	if version >= 15:
		lists.append(Page("REST v2: Item", "/api/v2/document/Item", "body", {"limit": "100"}))
	return lists


def _slug(doctype: str) -> str:
	return doctype.lower().replace(" ", "-")
