# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""No commands: what happens in each process of bench as it starts, if a test wants it."""

import os
import threading
from importlib import import_module

if "SAMPLE_APP_MAY_IMPORT" in os.environ:
	# As a scheduler does in a thread of a worker.
	threading.Thread(target=import_module, args=("sample_app.imported_slowly",), daemon=True).start()

if "SAMPLE_APP_SECONDS_BETWEEN_BEATS" in os.environ:
	# A test does not wait for minutes.
	from read_replica.jobs import heartbeat

	heartbeat.SECONDS_BETWEEN_BEATS = float(os.environ["SAMPLE_APP_SECONDS_BETWEEN_BEATS"])
	heartbeat.LEAST_INTERVAL_IN_ROUNDS = 0
