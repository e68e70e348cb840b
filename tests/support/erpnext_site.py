# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""ERPNext on a throwaway site: a company, items in stock, a customer, and orders for them."""

import random
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import frappe

TIME_ZONE = "Asia/Kolkata"
COMPANY = "Soak Ltd"
CUSTOMER = "Soak Customer"
ITEMS = tuple(f"Soak Item {number}" for number in range(20))


def day(later: int = 0) -> str:
	"""Today at the site, or some days later; for those who have no connection to it."""
	return (datetime.now(ZoneInfo(TIME_ZONE)) + timedelta(days=later)).date().isoformat()


def set_up() -> None:
	"""Answer the setup wizard, and make what an order needs."""
	from frappe.desk.page.setup_wizard.setup_wizard import setup_complete

	setup_complete(
		{
			"language": "English",
			"country": "India",
			"timezone": TIME_ZONE,
			"currency": "INR",
			"full_name": "Soak User",
			"email": "soak@example.com",
			"password": "a-long-Password-9",
			"company_name": COMPANY,
			"company_abbr": "S",
			"chart_of_accounts": "Standard",
			"fy_start_date": f"{day()[:4]}-01-01",
			"fy_end_date": f"{day()[:4]}-12-31",
			"setup_demo": 0,
		}
	)
	frappe.db.commit()
	frappe.get_doc({"doctype": "Customer", "customer_name": CUSTOMER, "customer_type": "Company"}).insert()
	warehouse = frappe.get_all("Warehouse", filters={"is_group": 0, "company": COMPANY}, pluck="name")[0]
	for item in ITEMS:
		frappe.get_doc(
			{
				"doctype": "Item",
				"item_code": item,
				"item_group": "All Item Groups",
				"stock_uom": "Nos",
				"is_stock_item": 1,
				"item_defaults": [{"company": COMPANY, "default_warehouse": warehouse}],
			}
		).insert()
	entry = frappe.get_doc(
		{"doctype": "Stock Entry", "stock_entry_type": "Material Receipt", "company": COMPANY}
	)
	for item in ITEMS:
		entry.append("items", {"item_code": item, "qty": 1000, "t_warehouse": warehouse, "basic_rate": 10})
	entry.insert()
	entry.submit()
	frappe.db.set_value("Report", "Stock Balance", "prepared_report", 0)
	frappe.db.commit()


def new_order(rng: random.Random) -> dict[str, Any]:
	"""The values of a sales order, which is submitted."""
	lines = [{"item_code": item, "qty": 1, "rate": 12} for item in rng.sample(ITEMS, 3)]
	return {
		"customer": CUSTOMER,
		"company": COMPANY,
		"delivery_date": day(7),
		"items": lines,
		"docstatus": 1,
	}


def reports() -> dict[str, dict[str, Any]]:
	"""Reports of ERPNext with filters that show something."""
	dates = {"from_date": day(-30), "to_date": day()}
	return {
		"Stock Balance": {"company": COMPANY, **dates},
		"General Ledger": {"company": COMPANY, "group_by": "Group by Voucher (Consolidated)", **dates},
	}
