# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs a module in a process whose clock is early, or late: python -m support.with_clock -2 MODULE ARGUMENTS."""

import runpy
import sys
import time

import time_machine


def main() -> None:
	seconds, module, *arguments = sys.argv[1:]
	sys.argv = [module, *arguments]
	# Processes that this one forks have the same clock.
	with time_machine.travel(time.time() + float(seconds), tick=True):
		runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
	main()
