# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

app_name = "pair_app"
app_title = "Pair App"
app_publisher = "read_replica contributors"
app_description = "For the tests of two servers"
app_email = "read_replica@users.noreply.github.com"
app_license = "MIT"

scheduler_events = {"daily": ["pair_app.jobs.of_the_first", "pair_app.jobs.of_the_second"]}
