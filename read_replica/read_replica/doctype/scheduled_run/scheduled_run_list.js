// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Scheduled Run"] = {
	hide_name_column: true,
	add_fields: ["begun_at", "executed_at", "attempts"],
	get_indicator(doc) {
		if (doc.executed_at) {
			return [__("Executed"), "green", "executed_at,is,set"];
		}
		return doc.begun_at
			? [__("Begun"), "orange", "begun_at,is,set|executed_at,is,not set"]
			: [__("Waits"), "blue", "begun_at,is,not set"];
	},
};
