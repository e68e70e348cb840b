# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The commands of `bench --site SITE read-replica`: the options of each, and one call.

May use every room. A command imports what it needs only when it runs, as bench reads all commands at the start of
each of its processes. Used by commands. Offers: read_replica, the group with all commands in it.
"""

from read_replica.cli import app_server, nginx, replication, second_server, site, sync, top
from read_replica.cli.group import read_replica

__all__ = ["app_server", "nginx", "read_replica", "replication", "second_server", "site", "sync", "top"]
