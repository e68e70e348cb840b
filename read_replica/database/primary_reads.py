# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counts the statements that read on the primary's database object."""

import time
from collections.abc import Callable
from typing import Any

from read_replica.engine import dialect

# A result that is read row by row has no number of rows yet; drivers say -1 then, or the largest number they know.
NO_NUMBER = 2**63


class PrimaryReads:
	"""How many statements that read the primary has answered, with how many rows, and in how many seconds."""

	__slots__ = ("began", "rows", "seconds", "statements")

	def __init__(self) -> None:
		# When the last statement was sent, by time.monotonic().
		self.began = 0.0
		self.statements = 0
		self.rows = 0
		self.seconds = 0.0


def count_reads(primary: Any, reads: PrimaryReads) -> Callable[..., Any]:
	"""Returns a `log_query` for the primary's database object, which core calls once a statement was answered.

	:param reads: where it is counted; `began` is to be set before each statement
	"""
	log_query = primary.log_query

	def count_and_log(query, *args, **kwargs):
		if dialect.reads(query):
			reads.statements += 1
			reads.seconds += time.monotonic() - reads.began
			rows = primary._cursor.rowcount
			if 0 < rows < NO_NUMBER:
				reads.rows += rows
		return log_query(query, *args, **kwargs)

	return count_and_log
