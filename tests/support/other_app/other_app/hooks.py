# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

app_name = "other_app"
app_title = "Other App"
app_publisher = "read_replica contributors"
app_description = "For the tests of read_replica: replaces what read_replica replaces as well"
app_email = "read_replica@users.noreply.github.com"
app_license = "MIT"

override_doctype_class = {"Scheduled Job Type": "other_app.job_types.JobType"}
# Of v16; others do not know it.
extend_doctype_class = {"Scheduled Job Type": "other_app.job_types.Extension"}
