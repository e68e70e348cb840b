// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Read Replica Outage"] = {
	hide_name_column: true,
	add_fields: ["told_at", "ended_at"],
	get_indicator(doc) {
		if (doc.ended_at) {
			return [__("Over"), "gray", "ended_at,is,set"];
		}
		return doc.told_at
			? [__("Going on"), "red", "ended_at,is,not set|told_at,is,set"]
			: [__("Not Told Yet"), "orange", "told_at,is,not set"];
	},
};
