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
	},
});
