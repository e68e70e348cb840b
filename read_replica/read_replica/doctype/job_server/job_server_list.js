// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Job Server"] = {
	hide_name_column: true,
	add_fields: ["host", "scheduler_alive_at", "workers_alive_at", "jobs"],
	get_indicator(doc) {
		if (!doc.host) {
			return [__("Nobody runs it"), "red", "host,is,not set"];
		}
		const seen = doc.workers_alive_at;
		const minutes = seen ? moment.utc().diff(moment.utc(seen), "minutes") : Infinity;
		if (minutes < 10) {
			return [__("Alive"), "green", "host,is,set"];
		}
		return minutes < 15
			? [__("Late"), "orange", "host,is,set"]
			: [__("Gone"), "red", "host,is,set"];
	},
};
