# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt
