// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Job Takeover"] = {
	hide_name_column: true,
	add_fields: ["began_at", "ended_at"],
	get_indicator(doc) {
		// Times of this doctype are the database's, in UTC.
		const ended = doc.ended_at ? moment.utc(doc.ended_at) : moment.utc();
		const lasted = moment.duration(ended.diff(moment.utc(doc.began_at))).humanize();
		return doc.ended_at
			? [__("Over, lasted {0}", [lasted]), "gray", "ended_at,is,set"]
			: [__("Going on for {0}", [lasted]), "orange", "ended_at,is,not set"];
	},
};
