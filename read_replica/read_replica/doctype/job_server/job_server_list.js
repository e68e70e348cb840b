// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

(() => {
	const escaped = frappe.utils.escape_html;
	// Times of this doctype are the database's, in UTC.
	const minutes_since = (time) => (time ? moment.utc().diff(moment.utc(time), "minutes", true) : Infinity);
	const in_words = (time) => {
		const minutes = minutes_since(time);
		if (minutes === Infinity) return __("never");
		// "A few seconds ago" is cut off.
		return minutes < 1
			? __("just now")
			: __("{0} ago", [moment.duration(minutes, "minutes").humanize()]);
	};

	frappe.listview_settings["Job Server"] = {
		hide_name_column: true,
		add_fields: ["queues", "scheduler_alive_at", "workers_alive_at", "workers", "jobs"],
		formatters: {
			scheduler_alive_at: (time) => escaped(in_words(time)),
			workers_alive_at: (time) => escaped(in_words(time)),
			// One column for both, as a list has few.
			workers: (workers, field, doc) => escaped(__("{0} for {1} jobs", [workers, doc.jobs])),
		},
		get_indicator(doc) {
			// Not by its host or its problems, which only System Managers are shown.
			if (!doc.scheduler_alive_at && !doc.workers_alive_at) {
				return [
					__("Nobody runs it"),
					"red",
					"scheduler_alive_at,is,not set|workers_alive_at,is,not set",
				];
			}
			// Without a queue of its own, only its own scheduler puts jobs where its workers find them;
			// but that may run on another one of its hosts.
			const has_own_queue = (doc.queues || "").split(", ").includes(doc.server_id);
			const needs_scheduler = doc.scheduler_alive_at && !has_own_queue;
			const signs = [doc.workers_alive_at, ...(needs_scheduler ? [doc.scheduler_alive_at] : [])];
			const minutes = Math.max(...signs.map(minutes_since));
			if (minutes < 10) {
				return [__("Alive"), "green", "missed_since,is,set"];
			}
			return minutes < 15
				? [__("Late"), "orange", "missed_since,is,set"]
				: [__("Gone"), "red", "missed_since,is,set"];
		},
	};
})();
