# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import os

app_name = "sample_app"
app_title = "Sample App"
app_publisher = "read_replica contributors"
app_description = "For the tests of read_replica"
app_email = "read_replica@users.noreply.github.com"
app_license = "MIT"

auth_hooks = ["sample_app.api.authenticate"]
before_job = ["sample_app.jobs.fail_before_job"]
after_request = ["sample_app.api.raise_if_asked"]
read_replica_methods = {
	"sample_app.api.named_by_the_hook": {"where": "replica", "max_lag": 60},
	"sample_app.api.wrong_*": "elsewhere",
}
scheduler_events = {
	"hourly": ["sample_app.jobs.hourly_job", "sample_app.jobs.annotated_job"],
	"daily": ["sample_app.jobs.daily_job"],
}

# Jobs that a migrate finds here as well, and so does not delete.
if number_of_proof_jobs := int(os.environ.get("SAMPLE_APP_PROOF_JOBS") or 0):
	scheduler_events["cron"] = {
		"* * * * * */5": [f"sample_app.jobs.proof_job_{number}" for number in range(number_of_proof_jobs)]
	}

# As a careless app does.
if said := os.environ.get("SAMPLE_APP_SAYS"):
	print(said)
