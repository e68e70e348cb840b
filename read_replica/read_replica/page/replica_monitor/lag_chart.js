// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// The lag of each replica over the last hour, with the lag that calls accept as a line.

frappe.provide("read_replica");

read_replica.LagChart = class LagChart {
	show(element, now) {
		const shown = JSON.stringify([now.lags, now.max_lag_seconds, now.replicas.map((one) => one.name)]);
		if (shown === this.shown) return;
		this.shown = shown;
		if (now.lags.length < 2) {
			element.innerHTML = `<p class="text-muted rr-empty">${frappe.utils.escape_html(
				now.redis_answers
					? __("Not enough data yet: a sample is kept every 15 seconds while the site is in use.")
					: __("There is no history without the cache Redis.")
			)}</p>`;
			return;
		}
		const names = now.replicas.map((one) => one.name);
		const lines = names.map((name) => ({ name, values: this.values(now.lags, name) }));
		element.innerHTML = `<div class="rr-chart" role="img"></div><p class="text-muted small"></p>`;
		element.firstChild.setAttribute("aria-label", this.in_words(lines));
		element.lastChild.textContent = __(
			"While a replica does not answer, or its lag is not known, its line grows by the time since."
		);
		new frappe.Chart(element.firstChild, {
			type: "line",
			height: 220,
			animate: 0,
			// Else it is drawn at 0 first.
			disableEntryAnimation: 1,
			colors: ["blue", "green", "violet", "orange", "cyan", "pink"],
			data: {
				labels: now.lags.map((row) => read_replica.clock(row.at)),
				datasets: lines,
				yMarkers: now.max_lag_seconds
					? [
							{
								label: __("Accepted: {0}", [read_replica.seconds(now.max_lag_seconds)]),
								value: now.max_lag_seconds,
							},
					  ]
					: [],
			},
			lineOptions: { hideDots: 1, regionFill: 0 },
			axisOptions: { xIsSeries: 1, xAxisMode: "tick", shortenYAxisNumbers: 1 },
			tooltipOptions: { formatTooltipY: (value) => read_replica.seconds(value) },
		});
	}

	// The chart has no gaps, and 0 would say that all is well.
	values(rows, name) {
		let known = 0;
		let known_at = Date.parse(rows[0].at);
		return rows.map((row) => {
			const at = Date.parse(row.at);
			const lag = row.seconds[name];
			if (lag === null || lag === undefined) return Math.round(known + (at - known_at) / 1000);
			[known, known_at] = [lag, at];
			return lag;
		});
	}

	in_words(lines) {
		return lines
			.map(({ name, values }) =>
				__("{0}: now {1} behind, at most {2}", [
					name,
					read_replica.seconds(values[values.length - 1]),
					read_replica.seconds(Math.max(...values)),
				])
			)
			.join("; ");
	}
};
