// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Scheduler Config"] = {
	hide_name_column: true,
	add_fields: ["enabled", "reads", "takeover_after", "server_id"],
	// What becomes of jobs whose server is not alive, by rule.
	notes: {},
	get_indicator(doc) {
		if (!doc.enabled) {
			return [__("Disabled"), "gray", "enabled,=,0"];
		}
		if (this.notes[doc.name]) {
			return [
				__("Its server is not alive: {0}", [frappe.utils.escape_html(this.notes[doc.name])]),
				"red",
				`server_id,=,${doc.server_id}`,
			];
		}
		return doc.reads === "Replica"
			? [__("Reads on replicas"), "green", "enabled,=,1|reads,=,Replica"]
			: [__("Reads on the primary"), "blue", "enabled,=,1|reads,=,Primary"];
	},
	onload(list) {
		frappe.xcall("read_replica.api.notes_on_jobs").then((notes) => {
			if (Object.keys(notes).length) {
				this.notes = notes;
				list.refresh();
			}
		});
	},
};
