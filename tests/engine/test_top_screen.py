# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The screen of `top` shows frame after frame, outlives a look that fails, and ends at Ctrl-C."""

import os
import pty
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone

from rich.console import Console

from read_replica.watch import top_screen
from read_replica.watch.top_report import BusyReplica, Rate, Running, Top
from support.docs import ROOT

TOP = Top(
	site="site.test",
	at=datetime(2026, 3, 1, 12, tzinfo=timezone.utc),
	seconds=2.0,
	replicas=[
		BusyReplica("replica01", "up", 0.012, 7, None),
		BusyReplica("replica02", "down", None, None, "OperationalError 2003"),
	],
	rates=[Rate("replica01", "read", "a.b[bold]", 12.5)],
	running=[Running("4711@replica01", "replica01", 61.2, "Sending data", "select ? from `tab[red]`")],
	ended=None,
)

SHOW = """
import signal
# A process that was started in the background of a shell ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.engine.test_top_screen import TOP
from read_replica.watch import top_screen
from dataclasses import replace
looks = iter(range(1000))
def following():
	number = next(looks)
	if number == 1:
		raise OSError("primary down")
	return replace(TOP, site=f"look{number}")
top_screen.show(TOP, following, 0.1)
print("ended well")
"""


def test_a_frame_has_all_that_the_report_has_and_takes_no_name_for_markup():
	console = Console(width=160)
	with console.capture() as captured:
		console.print(top_screen.frame(TOP))
	said = captured.get()
	for text in (
		"12 ms behind",
		"down: OperationalError 2003",
		"a.b[bold]",
		"12.5",
		"4711@replica01",
		"`tab[red]`",
	):
		assert text in said


def test_it_goes_on_after_a_look_that_fails_and_ends_at_ctrl_c():
	master, slave = pty.openpty()
	environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TERM": "xterm"}
	process = subprocess.Popen(
		[sys.executable, "-c", SHOW], cwd=ROOT, env=environment, stdin=slave, stdout=slave, stderr=slave
	)
	os.close(slave)
	said, deadline = b"", time.monotonic() + 30
	try:
		while b"look3" not in said and time.monotonic() < deadline:
			said += os.read(master, 65536)
		process.send_signal(signal.SIGINT)
		while b"ended well" not in said and time.monotonic() < deadline:
			said += os.read(master, 65536)
		assert process.wait(10) == 0
	finally:
		process.kill()
		process.wait()
		os.close(master)
	assert b"look0" in said and b"OSError: primary down" in said and b"Traceback" not in said
