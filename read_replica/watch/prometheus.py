# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The metrics of a site for Prometheus: GET /api/method/read_replica.api.metrics with a token."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from werkzeug.wrappers import Response

from read_replica.database.host import shared_of_site
from read_replica.engine.router import Router
from read_replica.policy import site_policy
from read_replica.site import router_of_site
from read_replica.watch import metrics_access


def metrics_response() -> Response:
	"""Returns all metrics of the site as text.

	HTTP 404 if the site has no metrics_token, 401 if the request has sent another one.
	"""
	access = metrics_access.check()
	if access == "switched_off":
		return _refusal(404, "Metrics are switched off. Set read_replica.metrics_token in site_config.json.")
	if access == "refused":
		return _refusal(401, "Send the header `Authorization: Bearer TOKEN`, with the site's metrics_token.")
	registry = CollectorRegistry()
	registry.register(SiteCollector())
	return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _refusal(status: int, message: str) -> Response:
	return Response(f"{message}\n", status=status, content_type="text/plain; charset=utf-8")


class SiteCollector(Collector):
	"""Collects the counts of all processes of the current site, and the state of its replicas now."""

	def describe(self) -> list[Metric]:
		"""Returns no names, so that registering this collector does not collect."""
		return []

	def collect(self) -> Iterator[Metric]:
		"""Yields the metrics of the site and of each replica."""
		router = router_of_site()
		routing = GaugeMetricFamily("read_replica_routing", "1 while read-only calls may go to replicas.")
		routing.add_metric((), 1 if router and not site_policy.load().paused else 0)
		yield routing
		yield from _calls()
		yield _statements()
		if router:
			yield from _replicas(router)
		writers = GaugeMetricFamily(
			"read_replica_writers", "Methods kept on the primary, as they have written."
		)
		writers.add_metric((), len(shared_of_site().load_writers()))
		yield writers


def _calls() -> Iterator[Metric]:
	labels = ("server", "reason", "method")
	calls = CounterMetricFamily(
		"read_replica_calls",
		"Calls by the server that they began on, and why; and what befell them.",
		labels=labels,
	)
	seconds = CounterMetricFamily(
		"read_replica_call_seconds",
		"Seconds that these calls took, from their choice to their end.",
		labels=labels,
	)
	for key, (count, took) in sorted(shared_of_site().load_counts().items()):
		calls.add_metric(key, count)
		if took:
			seconds.add_metric(key, took)
	yield calls
	yield seconds


def _statements() -> Metric:
	labels = ("server",)
	statements = CounterMetricFamily(
		"read_replica_statements",
		"SELECTs of requests and jobs, by the server that answered them.",
		labels=labels,
	)
	for server, count in sorted(shared_of_site().load_statements().items()):
		statements.add_metric((server,), count)
	return statements


def _replicas(router: Router) -> Iterator[Metric]:
	labels = ("replica", "pool")
	up = GaugeMetricFamily("read_replica_up", "1 while a replica answers.", labels=labels)
	lag = GaugeMetricFamily(
		"read_replica_lag_seconds",
		"How far a replica is behind; absent while that is not known.",
		labels=labels,
	)
	router.health.check_if_unknown()
	for replica in router.replicas:
		names = (replica.name, replica.endpoint.pool)
		verdict = router.health.verdict_of(replica.name)
		up.add_metric(names, 1 if verdict and verdict.state == "up" else 0)
		if verdict and verdict.lag is not None:
			lag.add_metric(names, verdict.lag)
	yield up
	yield lag
