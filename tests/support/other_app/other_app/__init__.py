# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

__version__ = "0.0.1"
