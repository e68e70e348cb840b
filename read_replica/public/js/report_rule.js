// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

frappe.provide("read_replica");

// The dialog that sets where reports read, by their names.
read_replica.set_where_reports_read = async (names) => {
	const rule =
		names.length === 1
			? await frappe.xcall("read_replica.api.rule_of_report", { report: names[0] })
			: { row: null, counts: null };
	const is_replica = 'eval:doc.reads == "Replica"';
	const as_configured = __("0: as the site is configured");
	const dialog = new frappe.ui.Dialog({
		title: __("Where It Reads"),
		fields: [
			{ fieldname: "about", fieldtype: "HTML", options: read_replica.about_reports(names, rule) },
			{ fieldname: "section_of_rule", fieldtype: "Section Break" },
			{
				fieldname: "reads",
				fieldtype: "Select",
				label: __("Reads"),
				reqd: 1,
				default: "Replica",
				options: [
					{ value: "Replica", label: __("Replica") },
					{ value: "Primary", label: __("Primary") },
					{ value: "Default", label: __("Default") },
				],
				description: __("Default: where it would read without rules"),
			},
			{
				fieldname: "consistency",
				fieldtype: "Select",
				label: __("Consistency"),
				depends_on: is_replica,
				options: [
					{ value: "", label: __("As Configured") },
					{ value: "Eventual", label: __("Eventual") },
					{ value: "Session", label: __("Session") },
					{ value: "Strong", label: __("Strong") },
				],
				description: __(
					"Strong: all that was saved before. Session: and what the user has saved. Eventual: no more than Max Lag asks."
				),
			},
			{ fieldname: "limits", fieldtype: "Column Break" },
			{
				fieldname: "pool",
				fieldtype: "Data",
				label: __("Pool"),
				depends_on: is_replica,
				description: __("The group of replicas to prefer"),
			},
			{
				fieldname: "max_lag",
				fieldtype: "Float",
				label: __("Max Lag (Seconds)"),
				depends_on: is_replica,
				non_negative: 1,
				description: as_configured,
			},
			{
				fieldname: "timeout",
				fieldtype: "Float",
				label: __("Timeout (Seconds)"),
				depends_on: is_replica,
				non_negative: 1,
				description: as_configured,
			},
			{ fieldname: "section_of_reason", fieldtype: "Section Break", hide_border: 1 },
			{
				fieldname: "reason",
				fieldtype: "Small Text",
				label: __("Reason"),
				description: __("For those who come later"),
			},
		],
		primary_action_label: __("Set Rule"),
		primary_action: (values) =>
			frappe
				.call({
					method: "read_replica.api.set_reports",
					args: { reports: names, rule: values },
					freeze: true,
				})
				.then(() => {
					dialog.hide();
					frappe.show_alert({
						message: __("Set. All processes take it up within two seconds."),
						indicator: "green",
					});
				}),
	});
	if (rule.row) {
		dialog.set_values(rule.row);
	}
	dialog.show();
};

// What the dialog says of these reports before anything is changed, as HTML.
read_replica.about_reports = (names, { row, counts }) => {
	const escaped = frappe.utils.escape_html;
	// Values that are HTML already, in a text that is not.
	const with_html = (text, values) =>
		escaped(text).replace(/\{(\d)\}/g, (placeholder, place) => values[place] ?? placeholder);
	const list = names.map((name) => `<b>${escaped(__(name))}</b>`).join(", ");
	if (names.length > 1) {
		return `<p>${with_html(__("For {0} reports: {1}"), [names.length, list])}</p>`;
	}
	const where = { replica: __("Replica"), primary: __("Primary"), default: __("Default") };
	let now = escaped(__("No rule: it reads where Frappe or its app says."));
	if (row) {
		now = escaped(
			__("A rule in Routed Method, changed here: {0}.", [where[counts?.where] || __(row.reads)])
		);
	} else if (counts) {
		const from = {
			desk: __("Routed Method"),
			site_config: __("site_config.json"),
			app: __("an app"),
			shipped: __("the shipped list"),
		};
		const name = `<code>${escaped(counts.name)}</code>`;
		now = with_html(__("{0}, by the rule {1} from {2}."), [
			escaped(where[counts.where]),
			name,
			escaped(from[counts.source]),
		]);
	}
	return `<p>${list}</p><p class="text-muted">${now}</p>`;
};
