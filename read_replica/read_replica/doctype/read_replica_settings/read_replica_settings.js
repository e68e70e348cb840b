// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

(() => {
	const escaped = (text) => frappe.utils.escape_html(String(text));
	// Values that are HTML already, in a text that is not.
	const with_html = (text, values) =>
		escaped(text).replace(/\{(\d)\}/g, (placeholder, place) => values[place] ?? placeholder);
	// Not <code>, whose colour cannot be read in the dark.
	const as_code = (text) =>
		`<span style="font-family: monospace; font-size: var(--text-sm)">${escaped(text)}</span>`;

	// v14's own is too faint to be read in the dark.
	const STYLE = `<style>
		[data-theme="dark"] :is([data-fieldname="overview"], [data-fieldname="replicas"], [data-fieldname="keys"]) {
			--text-muted: #a0aab3;
		}
	</style>`;

	frappe.ui.form.on("Read Replica Settings", {
		refresh(frm) {
			frm.add_custom_button(__("Routed Methods"), () => frappe.set_route("routed-methods"));
			frm.add_custom_button(__("Replica Help"), () => frappe.set_route("replica-help", "configuration"));
			load(frm);
		},
		after_save: (frm) => load(frm),
	});

	const load = (frm) => {
		// Hosts and keys are for them alone.
		if (!frappe.user.has_role("System Manager")) {
			frm.toggle_display(["overview", "section_of_replicas", "section_of_keys"], false);
			return;
		}
		frappe.xcall("read_replica.api.settings_overview").then((told) => {
			frm.get_field("overview").$wrapper.html(overview(told));
			show_replicas(frm, told.replicas);
			frm.get_field("keys").$wrapper.html(keys(told.keys));
			show_what_counts(frm, told.counts);
		});
	};

	const overview = (told) =>
		`${STYLE}<p class="rr-overview" role="status" style="font-size: var(--text-lg); margin-bottom: 4px">${escaped(
			sentence(told)
		)}</p>
		<p class="text-muted">${escaped(what_is_counted(told))}</p>`;

	const what_is_counted = (told) =>
		told.routing && !told.paused
			? __(
					"Counted are the statements that have read since midnight ({0}), or since the cache Redis was restarted. What could move is the time that suggested methods take the primary in an hour, on average since they are counted.",
					[told.time_zone]
			  )
			: "";

	const sentence = (told) => {
		if (told.routing_problem) {
			return __("All reading stays on the primary, as the configuration is wrong. {0}", [
				told.routing_problem,
			]);
		}
		if (!told.routing) {
			return __(
				"All reading stays on the primary: site_config.json names no replica, or switches routing off."
			);
		}
		if (told.paused) {
			return __("All reading stays on the primary, as the switch below says.");
		}
		const done =
			told.share_percent === null
				? __("Nothing has been read today.")
				: __("Replicas have done {0} % of today's reading.", [Math.floor(told.share_percent)]);
		const left = told.could_move
			? __("{0} s an hour could still move: see Routed Methods.", [
					format_number(told.seconds_an_hour, null, 1),
			  ])
			: __("Nothing more is known that could move.");
		return `${done} ${left}`;
	};

	// Replicas, and the test of each

	const show_replicas = (frm, replicas) => {
		const $wrapper = frm.get_field("replicas").$wrapper;
		if (!replicas.length) {
			$wrapper.html(`<p class="text-muted">${escaped(__("No replica is in use."))}</p>`);
			return;
		}
		$wrapper.html(`<div class="rr-replicas">${replicas.map(replica).join("")}</div>`);
		$wrapper.find("[data-replica]").on("click", (event) => test($(event.currentTarget)));
	};

	const replica = (one) => `<div style="border-bottom: 1px solid var(--border-color); padding: 10px 0">
			<div style="align-items: center; display: flex; flex-wrap: wrap; gap: 8px 16px">
				<strong>${escaped(one.name)}</strong>
				<span class="text-muted">${escaped(`${one.host}:${one.port}`)}</span>
				<span class="text-muted">${escaped(__("Pool {0}, weight {1}", [one.pool, one.weight]))}</span>
				${state(one)}
				<button type="button" class="btn btn-default btn-xs" style="margin-left: auto"
					data-replica="${escaped(one.name)}"
					aria-label="${escaped(`${__("Test Connection")}: ${one.name}`)}">${escaped(
		__("Test Connection")
	)}</button>
			</div>
			<div class="rr-test" role="status"></div>
		</div>`;

	const state = (one) => {
		if (one.state === "down") {
			return `<span class="indicator-pill red">${escaped(__("Down"))}</span>`;
		}
		if (one.state === null) {
			return `<span>${escaped(__("Not looked at yet"))}</span>`;
		}
		if (one.lag_seconds === null) {
			return `<span class="indicator-pill orange">${escaped(
				__("Up, not used: how late it is, is not known")
			)}</span>`;
		}
		const late = format_number(one.lag_seconds, null, 1);
		return `<span class="indicator-pill green">${escaped(__("Up, {0} s behind", [late]))}</span>`;
	};

	const test = ($button) => {
		const $result = $button.closest("div").siblings(".rr-test");
		$button.prop("disabled", true);
		$result.html(`<p class="text-muted" style="margin: 8px 0 0">${escaped(__("Testing …"))}</p>`);
		return frappe
			.xcall("read_replica.api.test_connection", { replica: $button.attr("data-replica") })
			.then((found) => $result.html(result(found)))
			.catch(() => $result.empty())
			.finally(() => $button.prop("disabled", false));
	};

	const result = (found) => {
		const pill = found.works
			? `<span class="indicator-pill green">${escaped(__("Works"))}</span>`
			: `<span class="indicator-pill red">${escaped(__("Does not work"))}</span>`;
		const said = found.said
			? `<p class="text-muted" style="margin: 4px 0 0">${escaped(found.said)}</p>`
			: "";
		const lines = escaped(found.mends.join("\n"));
		const mends = lines
			? `<pre tabindex="0" style="color: inherit; margin: 8px 0 0; white-space: pre-wrap">${lines}</pre>`
			: "";
		return `<div style="margin: 8px 0 4px">${pill} <span>${escaped(
			found.says
		)}</span>${said}${mends}</div>`;
	};

	// Keys of the configuration files

	const keys = (found) => {
		if (!found.length) {
			return `<p class="text-muted">${escaped(__("There are none."))}</p>`;
		}
		const rows = found.map(
			(key) => `<tr>
				<td>${as_code(key.name)}</td>
				<td style="overflow-wrap: anywhere">${as_code(key.value)}</td>
				<td class="text-muted">${escaped(key.file)}</td>
			</tr>`
		);
		return `<div class="table-responsive"><table class="table table-sm">
			<thead><tr>
				<th scope="col">${escaped(__("Key"))}</th>
				<th scope="col">${escaped(__("Value"))}</th>
				<th scope="col">${escaped(__("Stands in"))}</th>
			</tr></thead>
			<tbody>${rows.join("")}</tbody>
		</table></div>`;
	};

	// Which of several words counts

	const show_what_counts = (frm, counts) => {
		for (const [field, { value, said_by }] of Object.entries(counts)) {
			if (said_by === "site_config") {
				const key = `read_replica.${field}`;
				frm.set_df_property(field, "read_only", 1);
				frm.set_df_property(
					field,
					"description",
					with_html(__("{0} in the configuration says {1}, which counts in place of this field."), [
						as_code(key),
						as_code(value),
					])
				);
			}
		}
	};
})();
