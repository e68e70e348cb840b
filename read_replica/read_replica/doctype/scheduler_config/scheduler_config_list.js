// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Scheduler Config"] = {
	hide_name_column: true,
	// In so few letters as v14 has room for.
	add_fields: ["enabled", "reads", "takeover_after", "server_id"],
	// What becomes of jobs whose server is not alive, by rule.
	fates: {},
	get_indicator(doc) {
		const of_server = `server_id,=,${doc.server_id}`;
		if (!doc.enabled) {
			return [__("Disabled"), "gray", "enabled,=,0"];
		}
		switch (this.fates[doc.name]) {
			case "taken_over":
				return [__("Taken over"), "orange", of_server];
			case "late":
				return [__("Server late"), "orange", of_server];
			case "waits":
				return [__("Server gone, waits"), "red", of_server];
		}
		return doc.reads === "Replica"
			? [__("Reads replicas"), "green", "enabled,=,1|reads,=,Replica"]
			: [__("Reads primary"), "blue", "enabled,=,1|reads,=,Primary"];
	},
	onload(list) {
		frappe.xcall("read_replica.api.notes_on_jobs").then((fates) => {
			this.fates = fates;
			// Not refresh(), which does nothing for the same rows within seconds.
			list.render_list();
		});
	},
};
