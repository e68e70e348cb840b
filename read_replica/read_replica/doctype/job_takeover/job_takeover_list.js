// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Job Takeover"] = {
	hide_name_column: true,
	add_fields: ["ended_at"],
	get_indicator(doc) {
		return doc.ended_at
			? [__("Over"), "gray", "ended_at,is,set"]
			: [__("Going on"), "orange", "ended_at,is,not set"];
	},
};
