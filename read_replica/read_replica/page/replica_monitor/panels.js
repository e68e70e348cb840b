// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// The panels of the page Replica Monitor as HTML; all that comes from data is escaped here.

frappe.provide("read_replica");

(() => {
	const esc = (value) => frappe.utils.escape_html(String(value ?? ""));
	const { seconds, count, clock } = read_replica;
	const muted = (text) => `<p class="text-muted rr-empty">${text}</p>`;
	const pill = ([label, color]) => `<span class="indicator-pill ${color}">${esc(label)}</span>`;
	const button = (label, action, key, data = {}, attributes = "") =>
		`<button class="btn btn-default btn-xs" data-action="${action}" data-key="${esc(key)}" ${attributes}
			${Object.entries(data)
				.map(([name, value]) => `data-${name}="${esc(value)}"`)
				.join(" ")}>${esc(label)}</button>`;

	// To what the docs say of it; a check's heading there is its id.
	const help_link = (page, heading) =>
		`<a class="rr-help" href="${esc(frappe.router.make_url(["replica-help", page, heading]))}">${esc(heading)}</a>`;

	// Cells are HTML; a head that ends in "#" is one of numbers.
	function table(heads, rows) {
		const number = heads.map((head) => (head.endsWith("#") ? ' class="rr-number"' : ""));
		const titles = heads.map((head, i) => `<th scope="col"${number[i]}>${esc(head.replace(/#$/, ""))}</th>`);
		const lines = rows.map(
			(cells) => `<tr>${cells.map((cell, i) => `<td${number[i]}>${cell}</td>`).join("")}</tr>`
		);
		return `<div class="rr-scroll" tabindex="0"><table><thead><tr>${titles.join("")}</tr></thead>
			<tbody>${lines.join("")}</tbody></table></div>`;
	}

	const PANELS = [
		["replicas", () => __("Replicas"), "wide"],
		["lag", () => __("Lag in the Last Hour"), "wide"],
		["share", () => __("Reads by Server, Last Hour")],
		["fallbacks", () => __("Why the Primary Answered")],
		["running", () => __("Running for More Than {0} Seconds", [5])],
		["writers", () => __("Caught Writing")],
		["jobs", () => __("Jobs by Server"), "wide"],
		["doctor", () => __("The Doctor's Findings"), "wide"],
	];

	read_replica.frame = () =>
		`<div data-panel="summary"></div><div class="rr-grid">${PANELS.map(
			([name, title, width]) =>
				`<section class="rr-card ${width ? "rr-wide" : ""}" aria-labelledby="rr-${name}">
					<h2 id="rr-${name}">${esc(title())}</h2><div data-panel="${name}"></div></section>`
		).join("")}</div>`;

	function notices_of(now) {
		return read_replica
			.notices(now)
			.map(
				([color, text]) =>
					`<div class="rr-notice" role="status">${pill(["", color])}<span>${esc(text)}</span></div>`
			)
			.join("");
	}

	function summary(now) {
		const { count: all, taken_up } = now.processes;
		const share =
			now.replica_share_percent === null
				? __("Nothing has been read in the last hour.")
				: __("Replicas have answered {0} % of the statements that read in the last hour.", [
						Math.round(now.replica_share_percent),
				  ]);
		if (!now.redis_answers) return notices_of(now);
		const processes = all
			? __("Settings taken up by {0} of {1} processes.", [taken_up, all])
			: __("No process routes calls at the moment.");
		return `${notices_of(now)}<p class="rr-share">${esc(share)}</p><p class="text-muted">${esc(processes)}</p>`;
	}

	function replicas(now) {
		if (!now.replicas.length) return muted(esc(__("No replica is configured.")));
		const shows_hosts = now.replicas.some((one) => one.host);
		const heads = [__("Replica"), __("Server State"), `${__("Lag")}#`, `${__("Accepted")}#`, __("Pool"), `${__("Weight")}#`];
		return table(
			shows_hosts ? [...heads, __("Address")] : heads,
			now.replicas.map((one) => {
				const why = one.error ? `<div class="text-muted small">${esc(one.error)}</div>` : "";
				const cells = [
					`<strong>${esc(one.name)}</strong>`,
					pill(read_replica.STATES[one.state]()) + why,
					esc(seconds(one.lag_seconds)),
					esc(seconds(one.max_lag_seconds)),
					esc(one.pool),
					esc(one.weight),
				];
				return shows_hosts ? [...cells, esc(`${one.host}:${one.port}`)] : cells;
			})
		);
	}

	function share(now) {
		const rows = [
			...now.replicas.map((one) => [one.name, one.statements]),
			[__("Primary"), now.primary_statements],
		];
		const total = rows.reduce((sum, [, statements]) => sum + statements, 0);
		if (!total) return muted(esc(__("No statement has been counted in the last hour.")));
		return rows
			.map(([name, statements]) => {
				const percent = Math.round((100 * statements) / total);
				return `<div class="rr-bar"><div><span>${esc(name)}</span>
					<span class="text-muted">${esc(count(statements))} · ${percent} %</span></div>
					<div class="progress" role="img" aria-label="${esc(`${name}: ${percent} %`)}">
					<div class="progress-bar" style="width: ${percent}%"></div></div></div>`;
			})
			.join("");
	}

	function fallbacks(now) {
		if (!now.fallbacks.length) return muted(esc(__("No call had to go to the primary.")));
		const label = (reason) => (read_replica.REASONS[reason] || (() => reason))();
		return table(
			[__("Reason"), `${__("Calls")}#`],
			now.fallbacks.map(({ reason, count: calls }) => [esc(label(reason)), esc(count(calls))])
		);
	}

	function running(now) {
		const silent = now.did_not_tell.map((name) => muted(esc(__("{0} did not say what runs there.", [name]))));
		if (!now.running.length) return silent.join("") || muted(esc(__("Nothing runs for long on the replicas.")));
		const heads = [__("Replica"), `${__("Time")}#`, __("Statement")];
		return (
			silent.join("") +
			table(
				now.may_change ? [...heads, ""] : heads,
				now.running.map((one) => {
					const cells = [
						esc(one.replica),
						esc(seconds(one.seconds)),
						one.statement === null
							? `<span class="text-muted">${esc(__("For System Managers"))}</span>`
							: `<code class="rr-statement">${esc(one.statement)}</code>`,
					];
					const end = () =>
						button(__("End Statement"), "end", `end-${one.replica}-${one.query}`, {
							replica: one.replica,
							query: one.query,
						});
					return now.may_change ? [...cells, end()] : cells;
				})
			)
		);
	}

	function writers(now) {
		if (!now.writers.length) return muted(esc(__("No method was caught writing.")));
		const heads = [__("Method"), __("Table"), __("On the Primary Until")];
		return table(
			now.may_change ? [...heads, ""] : heads,
			now.writers.map((one) => {
				const cells = [
					`<span class="rr-name">${esc(one.method)}</span>`,
					esc(one.table || "–"),
					esc(clock(one.until, "D MMM, HH:mm")),
				];
				const release = () => button(__("Release Method"), "release", `release-${one.method}`, { method: one.method });
				return now.may_change ? [...cells, release()] : cells;
			})
		);
	}

	function jobs(now) {
		if (!now.servers.length) return muted(esc(__("No server has run a job yet.")));
		return table(
			[__("Server"), `${__("Workers")}#`, `${__("Jobs")}#`, `${__("Runs, Last Hour")}#`, `${__("Waiting")}#`],
			now.servers.map((one) => [
				`<strong>${esc(one.server_id)}</strong>${
					one.hosts ? "" : ` <span class="text-muted">${esc(__("nobody runs it"))}</span>`
				}`,
				esc(count(one.workers)),
				esc(count(one.jobs)),
				esc(count(one.runs)),
				esc(count(one.waiting)),
			])
		);
	}

	function doctor(now, is_examining) {
		const examine = now.may_change
			? `<p>${button(
					is_examining ? __("Examining…") : __("Examine Now"),
					"examine",
					"examine",
					{},
					is_examining ? "disabled" : ""
			  )}</p>`
			: "";
		const last = now.examination;
		if (!last) return muted(esc(__("The servers have not been examined here yet."))) + examine;
		const when = __("Examined on {0}: {1} checks are well.", [clock(last.at, "D MMM, HH:mm"), last.ok]);
		const found = last.checks.map(
			(check) => `<li>${pill(read_replica.STATUSES[check.status]())} ${help_link("doctor", check.id)}
				<div>${esc(check.seen || check.expected)}</div>
				${check.fix ? `<div class="text-muted rr-fix">${esc(check.fix)}</div>` : ""}</li>`
		);
		return `<p class="text-muted">${esc(when)}</p>${
			found.length ? `<ul class="rr-findings">${found.join("")}</ul>` : ""
		}${examine}`;
	}

	// "None" would be wrong where it is not known.
	const of_redis = (now, panel) =>
		now.redis_answers ? panel(now) : muted(esc(__("Not known without the cache Redis.")));

	read_replica.panels = (now, is_examining) => ({
		summary: summary(now),
		replicas: replicas(now),
		share: of_redis(now, share),
		fallbacks: of_redis(now, fallbacks),
		running: running(now),
		writers: of_redis(now, writers),
		jobs: jobs(now),
		doctor: doctor(now, is_examining),
	});
})();
