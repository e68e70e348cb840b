# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Two servers of one site, each a machine of its own by Linux's namespaces, set up by this app's commands."""
