// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.ui.form.on("Routed Method", {
	refresh(frm) {
		if (frm.doc.source === "Shipped") {
			frm.set_intro(
				frappe.utils.escape_html(
					__("The app ships this rule. Save a change, and it becomes yours and counts before what is shipped.")
				)
			);
		}
		if (frm.doc.source === "Learned" && !frm.is_new()) {
			frm.add_custom_button(__("Undo the Move"), () =>
				frappe
					.call({
						method: "read_replica.api.undo_move",
						args: { name: frm.doc.name },
						freeze: true,
					})
					.then(() => frm.reload_doc())
			);
		}
	},
});
