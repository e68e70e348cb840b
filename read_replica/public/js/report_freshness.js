// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// Shows beside the title of a report up to when its data reach, where a replica has answered.
(() => {
	const RUN = "/frappe.desk.query_report.run";
	const SECONDS_UNTIL_OLD = 60;
	let shown_for = null;

	$(document).ajaxComplete((event, xhr, request) => {
		const report = frappe.query_report;
		// The answer for a report that was left meanwhile says nothing about the one that is shown.
		if (!report?.page || report_that_ran(request) !== report.report_name) {
			return;
		}
		// Of a prepared report, the answer is the list of what was prepared. Core tells how old that is.
		const told = xhr.responseJSON?.message?.prepared_report
			? null
			: parse(xhr.getResponseHeader("X-Read-Replica"));
		hide(report.page);
		if (told) {
			shown_for = report.report_name;
			show(report.page, told, seconds_behind(told.as_of, xhr));
		}
	});

	frappe.router.on("change", () => {
		const [view, name] = frappe.get_route();
		if (view === "query-report" && name !== shown_for && frappe.query_report?.page) {
			hide(frappe.query_report.page);
		}
	});

	function report_that_ran({ url = "", data }) {
		const [path, query = ""] = url.split("?");
		if (!path.endsWith(RUN)) {
			return null;
		}
		const sent = typeof data === "string" ? data : "";
		return new URLSearchParams(query).get("report_name") ?? new URLSearchParams(sent).get("report_name");
	}

	function parse(header) {
		const told = Object.fromEntries((header || "").split("; ").map((part) => part.split("=")));
		return told.as_of ? { as_of: moment(told.as_of), servers: told.server.split(",") } : null;
	}

	function seconds_behind(as_of, xhr) {
		// By the server's clock: that of the user's machine may be wrong.
		return moment(new Date(xhr.getResponseHeader("Date") || Date.now())).diff(as_of, "seconds");
	}

	function show(page, { as_of, servers }, seconds) {
		const values = [time_of_user(as_of), servers.join(", ")];
		const is_old = seconds > SECONDS_UNTIL_OLD;
		const label = is_old
			? __("as of {0} from {1}, {2} old", [...values, moment.duration(seconds, "seconds").humanize()])
			: __("as of {0} from {1}", values);
		// Not page.set_indicator: on a phone, v16 shows a point in place of the label.
		page.clear_indicator()
			.removeClass("hide")
			.addClass(`read-replica-as-of ${is_old ? "orange" : "blue"}`)
			.attr({ title: __("A replica has answered, with all that was saved until then"), role: "status" })
			.append($("<span>").text(label));
	}

	function hide(page) {
		if (page.indicator.hasClass("read-replica-as-of")) {
			page.clear_indicator().removeAttr("title role").empty();
		}
		shown_for = null;
	}

	function time_of_user(time) {
		const zone = frappe.boot.time_zone?.user || frappe.boot.time_zone?.system;
		const local = zone ? time.clone().tz(zone) : time.clone().local();
		const now = zone ? moment().tz(zone) : moment();
		const date = `${frappe.datetime.get_user_date_fmt().toUpperCase()} `;
		return local.format((local.isSame(now, "day") ? "" : date) + frappe.datetime.get_user_time_fmt());
	}
})();
