# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

app_name = "sample_app"
app_title = "Sample App"
app_publisher = "read_replica contributors"
app_description = "For the tests of read_replica"
app_email = "read_replica@users.noreply.github.com"
app_license = "MIT"

before_job = ["sample_app.jobs.fail_before_job"]
after_request = ["sample_app.api.raise_if_asked"]
scheduler_events = {
	"hourly": ["sample_app.jobs.hourly_job", "sample_app.jobs.annotated_job"],
	"daily": ["sample_app.jobs.daily_job"],
}
