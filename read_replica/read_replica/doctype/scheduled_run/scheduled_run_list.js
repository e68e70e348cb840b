// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Scheduled Run"] = {
	hide_name_column: true,
	add_fields: ["claimed_at", "begun_at", "executed_at", "attempts", "last_error", "taken_from"],
	get_indicator(doc) {
		// Times of this doctype are the database's, in UTC.
		const since = (time, until) => moment.duration(moment.utc(until).diff(moment.utc(time))).humanize();
		if (doc.executed_at) {
			return doc.taken_from
				? [
						__("Executed for {0}", [frappe.utils.escape_html(doc.taken_from)]),
						"green",
						"executed_at,is,set|taken_from,is,set",
				  ]
				: [__("Executed"), "green", "executed_at,is,set"];
		}
		if (doc.begun_at) {
			return [
				__("Runs for {0}", [since(doc.begun_at)]),
				"orange",
				"begun_at,is,set|executed_at,is,not set",
			];
		}
		return doc.last_error
			? [__("Waits, failed {0} times", [doc.attempts]), "red", "begun_at,is,not set|last_error,is,set"]
			: [__("Waits for {0}", [since(doc.claimed_at)]), "blue", "begun_at,is,not set"];
	},
};
