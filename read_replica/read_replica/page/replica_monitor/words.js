// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// The words of the page Replica Monitor, and how it writes numbers and times.

frappe.provide("read_replica");

read_replica.REASONS = {
	no_replica: () => __("No replica answers, or none has a connection to spare"),
	lagging: () => __("All replicas were further behind than the call accepts"),
	behind: () => __("No replica had yet what the user has committed"),
	pending_writes: () => __("The request had written and not committed"),
	writer: () => __("The method was caught writing, and stays on the primary for a day"),
	rule: () => __("A rule keeps the method on the primary"),
	wrote: () => __("The call wrote; the rest of it stayed on the primary"),
	lost: () => __("The connection to the replica was lost"),
	trouble: () => __("The replica was out of disk, memory or connections"),
	missing: () => __("Something was missing on the replica, and not on the primary"),
	denied: () => __("The replica's user may not read it"),
};

read_replica.STATES = {
	up: () => [__("Server is up"), "green"],
	late: () => [__("Late"), "orange"],
	down: () => [__("Down"), "red"],
	unknown: () => [__("Not Checked Yet"), "gray"],
};

read_replica.STATUSES = {
	fail: () => [__("Wrong"), "red"],
	warn: () => [__("Warning"), "orange"],
	unknown: () => [__("Not Known"), "gray"],
};

read_replica.seconds = (value) => {
	if (value === null || value === undefined) return "–";
	if (value < 10) return __("{0} s", [Math.round(value * 10) / 10]);
	if (value < 120) return __("{0} s", [Math.round(value)]);
	return value < 7200 ? __("{0} min", [Math.round(value / 60)]) : __("{0} h", [Math.round(value / 3600)]);
};

read_replica.count = (value) => (value || 0).toLocaleString();

read_replica.clock = (iso, format = "HH:mm") => {
	const zone = frappe.boot.time_zone && frappe.boot.time_zone.user;
	const time = moment.utc(iso);
	return (zone && time.tz ? time.tz(zone) : time.local()).format(format);
};

// One sentence in the title: what the site does now.
read_replica.state_of_site = (now) => {
	if (now.routing_problem) return [__("Misconfigured: all reads go to the primary"), "red"];
	if (!now.routing) return [__("Switched off: all reads go to the primary"), "gray"];
	const up = now.replicas.filter((replica) => replica.state === "up").length;
	if (up === now.replicas.length) return [__("All replicas are up"), "green"];
	if (up) return [__("{0} of {1} replicas are up", [up, now.replicas.length]), "orange"];
	return [__("No replica can be read: all reads go to the primary"), "red"];
};

// What is wrong with the site as a whole, and what to do, a sentence each.
read_replica.notices = (now) => {
	const told = [];
	const all = (state) => now.replicas.length && now.replicas.every((one) => one.state === state);
	if (now.routing_problem) told.push(["red", now.routing_problem]);
	if (!now.routing && !now.routing_problem) {
		told.push([
			"blue",
			__("No replica is configured, or routing is switched off. Set read_replica in site_config.json."),
		]);
	}
	if (!now.redis_answers) {
		told.push([
			"orange",
			__(
				"The cache Redis does not answer. Each process looks at the replicas by itself; there are no counters, no history and no list of writers until it is back."
			),
		]);
	}
	if (all("down")) {
		told.push(["red", __("No replica answers. The primary answers everything; nothing is lost but speed.")]);
	} else if (all("late")) {
		told.push([
			"orange",
			__(
				"Every replica is further behind than calls accept, so the primary answers. Look for a long write, a stopped replication thread or a slow disk."
			),
		]);
	}
	return told;
};
