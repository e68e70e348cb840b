// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.ui.form.on("Report", {
	refresh(frm) {
		// A report of the type Report Builder reads as the list that it shows.
		const runs = !frm.is_new() && frm.doc.report_type !== "Report Builder";
		if (runs && frappe.user.has_role("System Manager")) {
			frm.add_custom_button(__("Where It Reads"), () =>
				read_replica.set_where_reports_read([frm.doc.name])
			);
		}
	},
});
