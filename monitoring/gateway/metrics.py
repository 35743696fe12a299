"""What the gateway tells Prometheus."""

from collections.abc import Collection, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.models import Alert, SiteStats
from monitoring.states import outage_is_open


class Metrics:
    """Counts what happens; each gateway has counters of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "monitoring_gateway_requests", "Requests that were answered.", ["path", "status"], registry=self._registry
        )
        self._points = Counter(
            "monitoring_gateway_points", "Checks, alerts and blocks taken.", ["kind"], registry=self._registry
        )
        self._refused = Counter(
            "monitoring_gateway_refused", "Writing requests that were refused for their content.", registry=self._registry
        )

    def answered(self, path: str, status: int) -> None:
        """`path` is that of the description, not of the request: it has few values."""
        self._requests.labels(path, str(status)).inc()

    def took(self, kind: str, count: int) -> None:
        self._points.labels(kind).inc(count)

    def refused(self) -> None:
        self._refused.inc()

    def text(self, sites: "SiteMetrics") -> bytes:
        """All of it as Prometheus reads it."""
        registry = CollectorRegistry()
        registry.register(sites)
        return generate_latest(self._registry) + generate_latest(registry)


class SiteMetrics(Collector):
    """How the sites are doing; None: the database cannot tell now."""

    def __init__(self, stats: Mapping[str, SiteStats] | None, last_alerts: Collection[Alert]) -> None:
        self._stats = stats
        self._down = {alert.host for alert in last_alerts if outage_is_open(alert)}

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "monitoring_database_up", "1 when the gateway reaches its database.", float(self._stats is not None)
        )
        if self._stats is None:
            return
        up = GaugeMetricFamily("monitoring_site_up", "0 while an alert is open.", labels=["site"])
        available = GaugeMetricFamily(
            "monitoring_site_availability_ratio", "Available share of the past 10 minutes.", labels=["site"]
        )
        checks = GaugeMetricFamily("monitoring_site_checks", "Checks in the past 10 minutes.", labels=["site"])
        for host, site in sorted(self._stats.items()):
            up.add_metric([host], float(host not in self._down))
            available.add_metric([host], site.available_ms / site.covered_ms)
            checks.add_metric([host], site.checks)
        yield from (up, available, checks)
