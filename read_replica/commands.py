# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Gives bench its commands, and prepares its processes: bench reads this file at the start of each of them."""

import sys
from collections.abc import Callable

from read_replica.cli import read_replica
from read_replica.core.replacements import install_in_controllers
from read_replica.engine.forks import let_forks_wait


def _class_of_job_type(get_controller: Callable[[str], type]) -> type:
	# Not at the top, as its imports would make every command of bench slow.
	from read_replica import scheduler_split

	return scheduler_split.class_of_site(get_controller)


# Of workers, which have no threads yet, and of schedulers, in which no hook of this app need run.
let_forks_wait()
install_in_controllers(_class_of_job_type)

# Only in these processes, as the imports would make every other command slow, and each worker large.
if "schedule" in sys.argv:
	from read_replica.jobs import schedulers

	schedulers.install()
if {"worker", "worker-pool"}.intersection(sys.argv):
	from read_replica.jobs import heartbeat

	heartbeat.install()


commands = [read_replica]
