# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the command says to people: the change, what was left out in one line per reason, and what is to be done next."""

from dataclasses import replace
from datetime import datetime

import pytest

from read_replica.deploy.nginx_report import NginxReport, print_nginx
from read_replica.deploy.nginx_rules import LeftOut

REPORT = NginxReport(
	site="site.example.com",
	at=datetime(2026, 3, 1, 12),
	source="/bench/config/nginx.conf",
	path="/bench/config/nginx-read-replica.conf",
	server="10.0.0.3:8000",
	name="reporting",
	routed=["a.b", "a.c"],
	left_out=[
		*(LeftOut(f"a.d({number})", "it has a subject") for number in range(5)),
		LeftOut("/app", "it is a page"),
	],
	log=None,
	diff="+ a line",
	is_current=False,
	has_changed=True,
	commands=["sudo ln -sfn this that"],
)


def test_it_says_what_was_written_left_out_and_is_to_be_done(capsys):
	print_nginx(REPORT)
	said = capsys.readouterr().out
	assert said.startswith("+ a line\n")
	assert "2 names of methods and lists go to reporting at 10.0.0.3:8000." in said
	assert "Left out: a.d(0), a.d(1), a.d(2) and 2 more: it has a subject." in said
	assert "Left out: /app: it is a page." in said
	assert "bench setup nginx --logging combined" in said
	assert said.endswith("To put it into service on the front server:\n  sudo ln -sfn this that\n")


@pytest.mark.parametrize(
	("is_current", "said"),
	[
		(True, "is as it should be; nothing was changed"),
		(False, "was not changed. Without --check and --dry-run"),
	],
)
def test_what_was_not_written_is_said_to_be_so(capsys, is_current, said):
	print_nginx(replace(REPORT, has_changed=False, is_current=is_current, log="/var/log/nginx/x.log"))
	out = capsys.readouterr().out
	assert said in out and "--logging" not in out
