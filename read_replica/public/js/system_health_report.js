// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.ui.form.on("System Health Report", {
	refresh(frm) {
		frappe.xcall("read_replica.api.job_problems").then((problems) => {
			if (problems.length) {
				const lines = problems.map((line) => frappe.utils.escape_html(line));
				frm.dashboard.set_headline(lines.join("<br>"), "orange");
			}
		});
		// Core looks for a process on this host alone.
		frappe.xcall("read_replica.api.where_scheduler_runs").then((sentence) => {
			frm.set_df_property("scheduler_status", "description", frappe.utils.escape_html(sentence));
		});
	},
});
