// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.ui.form.on("Scheduler Config", {
	refresh(frm) {
		frappe.xcall("read_replica.api.scheduled_methods").then((methods) => {
			frm.fields_dict.job.set_data(methods);
		});
	},
});
