# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the head of every report is."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Report:
	"""What all reports begin with.

	:param at: when it was made, by the primary's clock
	"""

	site: str
	at: datetime
