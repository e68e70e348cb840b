# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import unittest

import frappe

from read_replica.jobs.rules import forget_rules, rule_for

JOB = "frappe.email.queue.flush"


class TestSchedulerConfig(unittest.TestCase):
	def tearDown(self):
		frappe.db.rollback()
		forget_rules()

	def make_rule(self, **values):
		return frappe.get_doc({"doctype": "Scheduler Config", "job": JOB, "server_id": "secondary", **values})

	def test_a_saved_rule_names_the_server_of_its_job(self):
		self.make_rule(enabled=1).insert()
		rule = rule_for(JOB)
		self.assertEqual((rule.server_id, rule.source), ("secondary", "desk"))

	def test_a_disabled_rule_counts_as_none(self):
		self.make_rule(enabled=0).insert()
		self.assertEqual(rule_for(JOB).source, "default")

	def test_a_job_has_one_rule(self):
		self.make_rule().insert()
		with self.assertRaises(frappe.UniqueValidationError):
			self.make_rule(server_id="third").insert()

	def test_a_job_that_is_no_dotted_path_is_refused_with_an_example(self):
		for wrong in ("flush", "frappe.email queue", "frappe..flush"):
			with self.assertRaises(frappe.ValidationError) as raised:
				self.make_rule(job=wrong).insert()
			self.assertIn("erpnext.stock.reorder_item.reorder_item", str(raised.exception))

	def test_a_deleted_rule_is_forgotten(self):
		rule = self.make_rule(enabled=1).insert()
		rule.delete()
		self.assertEqual(rule_for(JOB).source, "default")
