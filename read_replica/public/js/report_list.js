// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// Another app may have settings for this list as well.
frappe.listview_settings["Report"] = frappe.listview_settings["Report"] || {};
(() => {
	const settings = frappe.listview_settings["Report"];
	const onload = settings.onload;
	settings.onload = function (list) {
		onload?.call(this, list);
		if (frappe.user.has_role("System Manager")) {
			const set_marked = () => read_replica.set_where_reports_read(list.get_checked_items(true));
			list.page.add_actions_menu_item(__("Where They Read"), set_marked, false);
		}
	};
})();
