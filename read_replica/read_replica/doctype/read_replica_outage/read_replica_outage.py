# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe.model.document import Document


class ReadReplicaOutage(Document):
	"""Something that is wrong, and System Managers were told of. Written by read_replica.watch.outage_rows."""

	@staticmethod
	def clear_old_logs(days: int = 180) -> None:
		"""Delete outages that ended more than so many days ago; Log Settings calls this."""
		frappe.db.sql(
			"delete from `tabRead Replica Outage` where ended_at < utc_timestamp() - interval %s day", days
		)
