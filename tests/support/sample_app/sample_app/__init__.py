# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A custom app, as a user of read_replica would write one, for the tests."""

__version__ = "0.0.1"
