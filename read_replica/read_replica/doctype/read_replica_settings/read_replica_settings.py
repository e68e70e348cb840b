# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document

from read_replica.database import revision


class ReadReplicaSettings(Document):
	"""What holds for all methods of the site that are read on replicas."""

	def on_update(self) -> None:
		revision.change()
