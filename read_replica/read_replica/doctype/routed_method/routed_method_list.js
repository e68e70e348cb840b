// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.listview_settings["Routed Method"] = {
	hide_name_column: true,
	add_fields: ["method", "subject", "reads", "source", "writes"],
	formatters: {
		// The end of a dotted path tells more than its beginning, which a narrow column would show.
		method: (path) => (path.length > 25 ? `…${path.slice(-24)}` : path),
	},
	get_indicator(doc) {
		if (doc.source === "Shipped" && this.ships_methods === false) {
			return [__("Shipped, switched off"), "gray", "source,=,Shipped"];
		}
		if (doc.reads === "Replica" && doc.writes) {
			return [__("Replica, has written"), "orange", "reads,=,Replica|writes,>,0"];
		}
		const colors = { Replica: "green", Primary: "blue", Default: "gray" };
		return [__(doc.reads), colors[doc.reads], `reads,=,${doc.reads}`];
	},
	onload(list) {
		frappe.xcall("read_replica.api.ships_methods").then((ships) => {
			if (!ships) {
				this.ships_methods = false;
				// Not refresh(), which does nothing for the same rows within seconds.
				list.render_list();
			}
		});
		if (!frappe.model.can_write("Routed Method")) {
			return;
		}
		for (const where of ["Replica", "Primary", "Default"]) {
			const label = {
				Replica: __("Read on Replicas"),
				Primary: __("Read on the Primary"),
				Default: __("Read Where It Would Without a Rule"),
			}[where];
			list.page.add_actions_menu_item(label, () => this.set_methods(list, where), false);
		}
	},
	set_methods(list, where) {
		const names = list.get_checked_items(true);
		return frappe
			.call({ method: "read_replica.api.set_methods", args: { names, where }, freeze: true })
			.then(() => list.refresh());
	},
};
