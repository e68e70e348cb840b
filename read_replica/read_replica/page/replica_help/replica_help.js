// Copyright (c) 2026, read_replica contributors
// For license information, please see license.txt

// The docs of this app: replica-help/PAGE/HEADING shows a page, from a heading on.
// In a function of its own: pages of the desk share one global scope.
(() => {
	const ROUTE = "replica-help";
	const escaped = (text) => frappe.utils.escape_html(text);
	const address = (...route) => frappe.router.make_url([ROUTE, ...route.filter(Boolean)]);

	// As the links in the docs have it.
	const anchor_of = (heading) =>
		heading
			.trim()
			.toLowerCase()
			.replace(/[^\p{L}\p{N}_\- ]/gu, "")
			.replaceAll(" ", "-");

	frappe.pages[ROUTE].on_page_load = (wrapper) => {
		wrapper.replica_help = new ReplicaHelp(wrapper);
	};

	frappe.pages[ROUTE].on_page_show = (wrapper) => wrapper.replica_help.open();

	class ReplicaHelp {
		constructor(wrapper) {
			this.page = frappe.ui.make_app_page({
				parent: wrapper,
				title: __("Replica Help"),
				single_column: true,
			});
			this.$body = $(`<div class="replica-help">
				<nav aria-label="${escaped(__("Pages of the Docs"))}"></nav>
				<article tabindex="-1" lang="en"></article>
			</div>`).appendTo(this.page.main);
			this.$body.toggleClass("rh-padded", cint(frappe.boot.versions.frappe) > 15);
		}

		async open() {
			const [, name = "", heading] = frappe.get_route();
			if (!this.shown || this.shown !== name) {
				await this.load(name);
			}
			this.scroll_to(heading);
		}

		async load(name) {
			const { message: told } = await frappe.call({
				method: "read_replica.api.help_page",
				args: { name },
				type: "GET",
			});
			this.shown = told.name;
			this.$body.find("nav").html(this.list(told));
			const $article = this.$body.find("article");
			$article.html(told.html || `<p>${escaped(this.why_empty(told))}</p>`);
			this.lead_on($article);
		}

		why_empty({ pages, name }) {
			return pages.length
				? __("The docs have no page {0}", [name])
				: __("The docs are not on this server. They stand in the folder docs of this app's source.");
		}

		list({ pages, name }) {
			const entries = pages.map(
				(one) =>
					`<li><a href="${escaped(address(one.name))}" ${
						one.name === name ? 'aria-current="page"' : ""
					}>${escaped(one.title)}</a></li>`
			);
			return `<ul>${entries.join("")}</ul>`;
		}

		// Headings get the anchors that links name, and links lead to what the desk can show.
		lead_on($article) {
			$article.find("h1, h2, h3, h4").each((_, heading) => {
				heading.id = `rh-${anchor_of(heading.textContent)}`;
				heading.tabIndex = -1;
			});
			$article.find("table, pre").wrap('<div class="rh-scroll" tabindex="0"></div>');
			$article.find("a").each((_, link) => {
				const [, page, heading] =
					(link.getAttribute("href") || "").match(/^(?:([\w-]+)\.md)?(?:#(.+))?$/) || [];
				if (page || heading) {
					link.href = address(page || this.shown, heading);
				} else if (/^https?:/.test(link.getAttribute("href"))) {
					Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
				} else {
					// A file of the source.
					$(link).replaceWith($(link).contents());
				}
			});
		}

		scroll_to(heading) {
			const found = heading && document.getElementById(`rh-${heading}`);
			// After the desk has scrolled to the top, as it does for each page.
			if (found) setTimeout(() => found.scrollIntoView(), 50);
		}
	}
})();
