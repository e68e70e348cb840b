// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// {% include "read_replica/read_replica/page/replica_monitor/words.js" %}
// {% include "read_replica/read_replica/page/replica_monitor/panels.js" %}
// {% include "read_replica/read_replica/page/replica_monitor/lag_chart.js" %}

const SECONDS_BETWEEN_LOOKS = 5;
// Whoever may read this doctype is told at once of a replica that goes down or comes back.
const TOLD_WITH = "Read Replica Settings";

class ReplicaMonitor {
	constructor(wrapper) {
		this.page = frappe.ui.make_app_page({
			parent: wrapper,
			title: __("Replica Monitor"),
			single_column: true,
		});
		this.page.add_menu_item(__("Replica Help"), () =>
			frappe.set_route("replica-help", "replica-monitor")
		);
		this.$body = $(`<div class="replica-monitor" aria-live="off"></div>`).appendTo(this.page.main);
		this.chart = new read_replica.LagChart();
		this.shown = {};
		this.actions = {
			release: (button) => this.release(button.dataset.method),
			end: (button) => this.end(button.dataset.replica, button.dataset.query),
			examine: () => this.examine(),
		};
		this.$body.on("click", "button[data-action]", (event) =>
			this.actions[event.currentTarget.dataset.action](event.currentTarget)
		);
		$(wrapper).on("show", () => this.start());
		$(wrapper).on("hide", () => this.stop());
		document.addEventListener("visibilitychange", () => {
			if (this.is_shown && !document.hidden) this.look();
		});
		frappe.realtime.on("read_replica_changed", () => this.is_shown && this.look());
	}

	start() {
		this.is_shown = true;
		const socket = frappe.realtime.doctype_subscribe ? frappe.realtime : frappe.socketio;
		// Without a server for it, there is none to ask.
		if (socket && socket.socket) socket.doctype_subscribe(TOLD_WITH);
		this.look();
	}

	stop() {
		this.is_shown = false;
		clearTimeout(this.timer);
	}

	async look() {
		clearTimeout(this.timer);
		if (this.is_looking) return;
		this.is_looking = true;
		try {
			// Not by frappe.call: each look would show its progress, and each failure a dialog.
			const answer = await fetch("/api/method/read_replica.api.replica_monitor", {
				headers: { Accept: "application/json" },
			});
			if (!answer.ok) throw new Error(answer.status);
			this.show((await answer.json()).message);
		} catch (error) {
			this.page.set_indicator(__("Not up to date: the site does not answer"), "orange");
		}
		this.is_looking = false;
		// A hidden tab asks again as it comes back.
		if (this.is_shown && !document.hidden) {
			this.timer = setTimeout(() => this.look(), SECONDS_BETWEEN_LOOKS * 1000);
		}
	}

	show(now) {
		if (!this.$body.children().length) this.$body.html(read_replica.frame());
		const [label, color] = read_replica.state_of_site(now);
		this.page.set_indicator(label, color);
		for (const [name, html] of Object.entries(read_replica.panels(now, this.is_examining))) {
			this.put(name, html);
		}
		this.chart.show(this.$body.find("[data-panel=lag]")[0], now);
	}

	put(name, html) {
		if (this.shown[name] === html) return;
		this.shown[name] = html;
		const panel = this.$body.find(`[data-panel=${name}]`);
		// Whoever works by keyboard stays where they are, although what is there was made anew.
		const focused = panel.find(":focus").attr("data-key");
		panel.html(html).closest(".rr-card").toggle(Boolean(html));
		if (focused) panel.find(`[data-key="${CSS.escape(focused)}"]`).trigger("focus");
	}

	async change(method, args, told) {
		const answer = await frappe.call({ method: `read_replica.api.${method}`, args, freeze: true });
		frappe.show_alert({ message: told(answer.message), indicator: "green" });
		return this.look();
	}

	release(method) {
		return this.change("clear_writers", { method }, () =>
			__("Released. All processes take it up within seconds.")
		);
	}

	end(replica, query) {
		frappe.confirm(
			__("End this statement? Whoever waits for it gets an error; nobody runs it again."),
			() =>
				this.change("end_statement", { replica, query }, (ended) =>
					ended ? __("The statement was ended.") : __("The statement had ended already.")
				)
		);
	}

	async examine() {
		this.is_examining = true;
		await this.look();
		try {
			await frappe.call({ method: "read_replica.api.examine_servers" });
		} finally {
			this.is_examining = false;
		}
		return this.look();
	}
}

frappe.pages["replica-monitor"].on_page_load = (wrapper) => {
	wrapper.replica_monitor = new ReplicaMonitor(wrapper);
};
