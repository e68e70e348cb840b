// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// In a function of its own: pages of the desk share one global scope.
(() => {
	const escaped = (text) => frappe.utils.escape_html(text);
	const number = (value, digits = 1) => format_number(value, null, digits);

	// A dotted path may break after each dot, and what it works for stands out.
	const name_of = (name) => {
		const [method, subject] = name.endsWith(")") ? name.slice(0, -1).split(/\((.*)/s) : [name];
		const path = escaped(method).replaceAll(".", ".<wbr>");
		return subject ? `${path} <strong>${escaped(subject)}</strong>` : path;
	};

	frappe.pages["routed-methods"].on_page_load = (wrapper) => {
		wrapper.routed_methods = new RoutedMethods(wrapper);
	};

	frappe.pages["routed-methods"].on_page_show = (wrapper) => wrapper.routed_methods.refresh();

	// Suggestions, and all that ran lately: where it reads, why, and what changes it.
	class RoutedMethods {
		constructor(wrapper) {
			this.page = frappe.ui.make_app_page({
				parent: wrapper,
				title: __("Routed Methods"),
				single_column: true,
			});
			this.may_change = frappe.user.has_role("System Manager");
			this.page.set_secondary_action(__("Refresh"), () => this.refresh(), "refresh");
			this.page.add_menu_item(__("Replica Help"), () =>
				frappe.set_route("replica-help", "configuration", "in-the-desk")
			);
			if (this.may_change) {
				this.page.add_menu_item(__("Rules"), () => frappe.set_route("List", "Routed Method"));
				this.page.add_menu_item(__("Settings"), () =>
					frappe.set_route("Form", "Read Replica Settings")
				);
			}
			this.$body = $(`<div class="routed-methods">
				<p class="rm-headline" role="status"></p>
				<section class="rm-card rm-suggestions" aria-labelledby="rm-suggestions"></section>
				<section class="rm-card rm-lately" aria-labelledby="rm-lately">
					<header>
						<h2 id="rm-lately">${escaped(__("Ran in the Last Seven Days"))}</h2>
						<div class="rm-tools">
							<input type="search" class="form-control input-sm rm-search"
								placeholder="${escaped(__("Search"))}" aria-label="${escaped(__("Search for a method"))}">
							<select class="form-control input-sm rm-reads" aria-label="${escaped(__("Where it reads"))}">
								<option value="">${escaped(__("Everywhere"))}</option>
								<option value="replica">${escaped(__("On Replicas"))}</option>
								<option value="primary">${escaped(__("On the Primary"))}</option>
							</select>
							${this.bulk_buttons()}
						</div>
					</header>
					<div class="rm-rows"></div>
				</section>
			</div>`).appendTo(this.page.main);
			// v16 leaves no room beside what a page shows.
			this.$body.toggleClass("rm-padded", cint(frappe.boot.versions.frappe) > 15);
			this.listen();
		}

		bulk_buttons() {
			if (!this.may_change) {
				return "";
			}
			const button = (where, label) =>
				`<button type="button" class="btn btn-default btn-sm" data-where="${where}" disabled>${escaped(label)}</button>`;
			return (
				button("replica", __("Read on Replicas")) +
				button("primary", __("Keep on the Primary")) +
				button("undo", __("Undo"))
			);
		}

		listen() {
			this.$body.on(
				"input",
				".rm-search",
				frappe.utils.debounce(() => this.refresh(), 300)
			);
			this.$body.on("change", ".rm-reads", () => this.refresh());
			this.$body.on("change", ".rm-check input", (event) => this.check(event.target));
			this.$body.on("click", "[data-take]", (event) => this.take([event.currentTarget.dataset.take]));
			this.$body.on("click", ".rm-take-all", () =>
				this.take(this.data.suggestions.map((one) => one.name))
			);
			this.$body.on("click", "[data-undo]", (event) => this.undo([event.currentTarget.dataset.undo]));
			this.$body.on("click", "[data-where]", (event) => {
				const where = event.currentTarget.dataset.where;
				return where === "undo" ? this.undo(this.checked()) : this.set(this.checked(), where);
			});
			this.$body.on("click", "[data-rule]", (event) => {
				event.preventDefault();
				frappe.set_route("Form", "Routed Method", event.currentTarget.dataset.rule);
			});
		}

		refresh() {
			const asked = (this.asked = {
				search: this.$body.find(".rm-search").val(),
				reads: this.$body.find(".rm-reads").val(),
			});
			return frappe.xcall("read_replica.api.routed_methods", asked).then((data) => {
				// An answer that was overtaken by a later question is not shown.
				if (asked === this.asked) {
					this.data = data;
					this.show();
				}
			});
		}

		show() {
			this.$body.find(".rm-headline").text(this.headline());
			this.$body.find(".rm-suggestions").html(this.suggestions());
			this.$body.find(".rm-rows").html(this.rows());
			this.check();
		}

		headline() {
			const { routing, paused, share_percent, suggestions } = this.data;
			if (paused) {
				return __("All reading stays on the primary, as Read Replica Settings say.");
			}
			if (!routing) {
				return __("No replica is in use: all reading stays on the primary.");
			}
			const seconds = suggestions.reduce((sum, one) => sum + one.seconds_an_hour, 0);
			const done =
				share_percent === null
					? __("Nothing was read in the last hour.")
					: __("Replicas did {0} % of the reading of the last hour.", [Math.floor(share_percent)]);
			const left = seconds
				? __("{0} s an hour could still move.", [number(seconds)])
				: __("Nothing more is known that could move.");
			return `${done} ${left}`;
		}

		suggestions() {
			const { suggestions, moves_by_itself } = this.data;
			const all =
				this.may_change && suggestions.length > 1
					? `<button type="button" class="btn btn-default btn-sm rm-take-all">${escaped(
							__("Take All")
					  )}</button>`
					: "";
			const head = `<header><h2 id="rm-suggestions">${escaped(__("Suggestions"))}</h2>${all}</header>`;
			if (!suggestions.length) {
				const why = moves_by_itself
					? __("Methods are moved by themselves, so nothing is left to suggest here.")
					: __(
							"What was called 200 times over two days or more, has never written and takes the primary time is suggested here."
					  );
				return `${head}<p class="rm-note rm-muted mb-0">${escaped(why)}</p>`;
			}
			const rows = suggestions.map(
				(one) => `<tr>
					<td class="rm-name">${name_of(one.name)}</td>
					<td class="rm-number" data-label="${escaped(__("Calls"))}">${number(one.calls, 0)}</td>
					<td class="rm-number" data-label="${escaped(__("Off the Primary"))}">${escaped(
					__("{0} s an hour", [number(one.seconds_an_hour)])
				)}</td>
					<td>${this.may_change ? this.button("take", one.name, __("Read on Replicas")) : ""}</td>
				</tr>`
			);
			return `${head}<table>
				<thead><tr>
					<th scope="col">${escaped(__("Method"))}</th>
					<th scope="col" class="rm-number">${escaped(__("Calls Without a Write"))}</th>
					<th scope="col" class="rm-number">${escaped(__("Off the Primary"))}</th>
					<td></td>
				</tr></thead>
				<tbody>${rows.join("")}</tbody>
			</table>`;
		}

		rows() {
			const { rows, has_more, counted } = this.data;
			if (!rows.length) {
				const why = counted
					? __("Nothing that ran lately is called so.")
					: __(
							"Nothing is counted yet. Calls of users are counted as they come, in the site's cache Redis."
					  );
				return `<p class="rm-note rm-muted mb-0">${escaped(why)}</p>`;
			}
			const more = has_more
				? `<p class="rm-note rm-muted mb-0">${escaped(__("There are more: search for them."))}</p>`
				: "";
			const all = this.may_change
				? `<td class="rm-check"><input type="checkbox" class="rm-all" aria-label="${escaped(
						__("Select all")
				  )}"></td>`
				: "";
			return `<table>
				<thead><tr>
					${all}
					<th scope="col">${escaped(__("Method"))}</th>
					<th scope="col" class="rm-number">${escaped(__("Calls"))}</th>
					<th scope="col" class="rm-number">${escaped(__("Time per Call"))}</th>
					<th scope="col" class="rm-number">${escaped(__("Primary an Hour"))}</th>
					<th scope="col" class="rm-number">${escaped(__("By Replicas"))}</th>
					<th scope="col">${escaped(__("Reads on"))}</th>
					<th scope="col">${escaped(__("Why"))}</th>
					<td></td>
				</tr></thead>
				<tbody>${rows.map((row) => this.row(row)).join("")}</tbody>
			</table>${more}`;
		}

		row(row) {
			const check = row.can_change
				? `<input type="checkbox" data-name="${escaped(row.name)}" aria-label="${escaped(
						__("Select {0}", [row.name])
				  )}">`
				: "";
			const share = row.share_percent === null ? "" : `${Math.floor(row.share_percent)} %`;
			const where =
				row.reads === "replica"
					? `<span class="indicator-pill green">${escaped(__("Replicas"))}</span>`
					: escaped(__("Primary"));
			const undo = this.may_change && row.rule ? this.button("undo", row.name, __("Undo")) : "";
			return `<tr>
				${this.may_change ? `<td class="rm-check">${check}</td>` : ""}
				<td class="rm-name">${this.name(row)}</td>
				<td class="rm-number" data-label="${escaped(__("Calls"))}">${number(row.calls, 0)}</td>
				<td class="rm-number" data-label="${escaped(__("Time per Call"))}">${number(row.seconds * 1000, 0)} ms</td>
				<td class="rm-number" data-label="${escaped(__("Primary an Hour"))}">${number(row.primary_seconds_an_hour)} s</td>
				<td class="rm-number" data-label="${escaped(__("By Replicas"))}">${share}</td>
				<td>${where}</td>
				<td class="rm-why">${escaped(row.why)}</td>
				<td>${undo}</td>
			</tr>`;
		}

		name(row) {
			if (!row.rule || !this.may_change) {
				return name_of(row.name);
			}
			return `<a href="#" data-rule="${escaped(row.rule)}">${name_of(row.name)}</a>`;
		}

		button(action, name, label) {
			return `<button type="button" class="btn btn-default btn-xs" data-${action}="${escaped(name)}"
				aria-label="${escaped(`${label}: ${name}`)}">${escaped(label)}</button>`;
		}

		check(box) {
			const boxes = this.$body.find(".rm-check input[data-name]");
			if (box && box.classList.contains("rm-all")) {
				boxes.prop("checked", box.checked);
			}
			this.$body.find("[data-where]").prop("disabled", !this.checked().length);
		}

		checked() {
			return this.$body
				.find(".rm-check input[data-name]:checked")
				.toArray()
				.map((box) => box.dataset.name);
		}

		take(names) {
			return this.change("take_suggestions", { names }, __("Read on replicas from now on."));
		}

		set(names, where) {
			return this.change(
				"set_rules",
				{ names, where },
				__("Set. All processes take it up within two seconds.")
			);
		}

		undo(names) {
			return this.change("undo_rules", { names }, __("Undone."));
		}

		change(method, args, done) {
			return frappe.call({ method: `read_replica.api.${method}`, args, freeze: true }).then(() => {
				frappe.show_alert({ message: done, indicator: "green" });
				return this.refresh();
			});
		}
	}
})();
