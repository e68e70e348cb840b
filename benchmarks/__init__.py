# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What routing costs and what it gains, as ratios within one run on one machine."""
