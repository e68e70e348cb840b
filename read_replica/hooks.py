# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The hooks of this app: names of what Frappe calls, no logic."""

from read_replica.core.desk_address import DESK

app_name = "read_replica"
app_title = "Read Replica"
app_publisher = "read_replica contributors"
app_description = "Sends read-only work to replicas of the database, and splits scheduled jobs over servers"
app_email = "read_replica@users.noreply.github.com"
app_license = "MIT"

# The tile on the screen of apps, from v15 on.
add_to_apps_screen = [
	{
		"name": app_name,
		"logo": "/assets/read_replica/images/read_replica.svg",
		"title": app_title,
		"route": f"{DESK}/replicas",
		"has_permission": "read_replica.api.may_look",
	}
]

# Core's functions are replaced in these, as they always run: Frappe may have this file in its cache, and never
# import it.
before_request = ["read_replica.lifecycle.begin", "read_replica.watch.metrics_access.take"]
# The second one opens scopes, as the user is known by then, also by an API key or a token.
auth_hooks = ["read_replica.lifecycle.note_asker", "read_replica.lifecycle.route_request"]
after_request = ["read_replica.lifecycle.end"]
before_job = ["read_replica.lifecycle.begin"]
after_job = ["read_replica.lifecycle.end"]

# The scheduler loads each due job as a document and calls its `enqueue`. If another app has this hook as well,
# the last one counts, so commands.py and the hooks above replace core's get_controller, too.
override_doctype_class = {
	"Scheduled Job Type": "read_replica.scheduler_split.SplitScheduledJobType",
}

# System Health Report shows problems with the servers of jobs; a report's form and list set where it reads.
doctype_js = {
	"System Health Report": "public/js/system_health_report.js",
	"Report": ["public/js/report_rule.js", "public/js/report.js"],
}
doctype_list_js = {"Report": ["public/js/report_rule.js", "public/js/report_list.js"]}
app_include_js = ["/assets/read_replica/js/report_freshness.js"]

# Log Settings clears what is over.
default_log_clearing_doctypes = {"Job Takeover": 180, "Read Replica Outage": 180}

# Each has columns that only System Managers may read. v14 gives them to all who may read the row.
permission_query_conditions = {
	"Job Server": "read_replica.watch.viewers.only_rows_with_kept_columns",
	"Job Worker": "read_replica.watch.viewers.only_rows_with_kept_columns",
	"Scheduled Run": "read_replica.watch.viewers.only_rows_with_kept_columns",
}
has_permission = {
	"Job Server": "read_replica.watch.viewers.has_permission",
	"Job Worker": "read_replica.watch.viewers.has_permission",
	"Scheduled Run": "read_replica.watch.viewers.has_permission",
}

# A cron entry, as "all" is four minutes in some versions and the tick of the scheduler in others.
scheduler_events = {
	"cron": {"*/5 * * * *": ["read_replica.policy.learning.learn", "read_replica.watch.notices.tell"]}
}

after_install = "read_replica.install.after_install"
after_app_install = "read_replica.install.after_app_install"
after_migrate = [
	"read_replica.patches.v0_1.add_core_keys.execute",
	"read_replica.jobs.annotations.note",
	"read_replica.install.after_migrate",
]
after_uninstall = "read_replica.install.after_uninstall"
