# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A module whose import ends when a file is there, or after a while."""

import os
import time

_deadline = time.monotonic() + 30
while not os.path.exists(os.environ["SAMPLE_APP_MAY_IMPORT"]) and time.monotonic() < _deadline:
	time.sleep(0.01)

is_whole = True
