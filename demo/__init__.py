# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Orders alone and beside reports on one machine: all on the primary, routed, and routed while a replica dies."""
