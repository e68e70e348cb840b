# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Derives a front nginx's configuration from the rules of the current site."""

import shlex
from datetime import datetime, timezone
from pathlib import Path

import frappe
from frappe.utils import get_bench_path

from read_replica.core.whitelist import opens_a_scope_itself
from read_replica.deploy import nginx_file, nginx_source
from read_replica.deploy.nginx_report import NginxReport
from read_replica.deploy.nginx_rules import EXPORTS, LISTS, Policy, Rule, Visible, visible
from read_replica.deploy.nginx_source import NginxError
from read_replica.deploy.text_file import TextChange, text_of
from read_replica.policy import sources
from read_replica.policy.called import Called
from read_replica.policy.rule_set import REPORTS
from read_replica.policy.rules import Rules
from read_replica.policy.shipped import NEVER, SUBJECTS

# What a command says as a sentence, without a traceback.
ERRORS = (NginxError, OSError, UnicodeError)

FILE = "nginx.conf"
DERIVED = "nginx-read-replica.conf"


def configure(
	server: str | None, name: str | None, source: Path | None, output: Path | None, writes: bool
) -> NginxReport:
	"""Derive the file for the current site, and write it if that was asked for.

	:param server: the address of the reporting server; None: the one of the file that is there
	:param name: what it is called; None: as in the file that is there, or `reporting`
	:param source: bench's nginx.conf; None: that of this bench
	:param output: the folder for the file; None: that of the source
	:raises NginxError: if the source is not as bench makes it, or the address is none
	:raises OSError: if a file cannot be read or written
	"""
	source = (source or Path(get_bench_path()) / "config" / FILE).absolute()
	path = (output or source.parent).absolute() / DERIVED
	text = text_of(source)
	if text is None:
		raise NginxError(
			f"There is no {source}. Make it: bench setup nginx; or name another one by --source."
		)
	bench = nginx_source.read(text, str(source))
	before = text_of(path)
	reporting = _reporting_server(server, name, before, path)
	seen = visible(policy())
	change = TextChange(path, before, nginx_file.derived(bench, seen, reporting))
	if change and writes:
		change.write()
	return NginxReport(
		site=frappe.local.site,
		at=datetime.now(timezone.utc),
		source=str(source),
		path=str(path),
		server=reporting.address,
		name=reporting.name,
		routed=_routed(seen),
		left_out=seen.left_out,
		log=nginx_file.log_of(bench),
		diff=change.diff(),
		is_current=not change,
		has_changed=bool(change) and writes,
		commands=_commands(bench.upstream, source, path),
	)


def policy() -> Policy:
	"""Returns the rules of the current site, as nginx is to follow them."""
	sets = sources.load()
	rules = Rules(None, sets)

	def reads(method: str, subject: str) -> bool:
		# A report is exported where it is shown.
		asked = REPORTS if method == EXPORTS[0] else method
		rule = rules.rule_for(Called(asked, subject))
		if rule is None or rule.where == "default":
			return opens_a_scope_itself(asked)
		return rule.where == "replica"

	return Policy(
		reads=reads,
		sets=[[Rule(rule.name, rule.where) for rule in each.all] for each in sets],
		never=list(NEVER),
		decorated=[name for name in SUBJECTS if opens_a_scope_itself(name)],
	)


def _reporting_server(
	server: str | None, name: str | None, before: str | None, path: Path
) -> nginx_file.Reporting:
	known = nginx_file.reporting_server_of(before) if before else None
	address = server or (known and known.address)
	if not address:
		raise NginxError(
			f"Name the reporting server, as there is no {path} yet: --server 10.0.0.3:8000, the address of its gunicorn"
		)
	return nginx_file.reporting_server(address, name or (known.name if known else "reporting"))


def _routed(seen: Visible) -> list[str]:
	lists = [
		name if route.name == "*" else f"{name}({route.name})"
		for name in LISTS
		for route in seen.lists[name]
		if route.reads
	]
	return [route.name for route in seen.methods if route.reads] + seen.exports + lists


def _commands(upstream: str, source: Path, path: Path) -> list[str]:
	link = f"/etc/nginx/conf.d/{upstream.removesuffix('-frappe')}.conf"
	test = "sudo nginx -t && sudo systemctl reload nginx"
	return [
		f"sudo ln -sfn {shlex.quote(str(path))} {shlex.quote(link)} && {test}",
		f"sudo ln -sfn {shlex.quote(str(source))} {shlex.quote(link)} && {test}    # to go back",
	]
