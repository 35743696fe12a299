"""The metrics of the gateway for Prometheus."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.models import Alert, SiteStats
from monitoring.statistics.status import outage_is_open

LABELS = ("site", "location")


class Metrics:
    """The counters of one gateway."""

    def __init__(self, refusals: Collector) -> None:
        """`refusals` are further counters to include."""
        self._registry = CollectorRegistry()
        self._registry.register(refusals)
        self._requests = Counter(
            "monitoring_gateway_requests", "Requests that were answered.", ["path", "status"], registry=self._registry
        )
        self._points = Counter(
            "monitoring_gateway_points", "Checks, alerts and summaries taken.", ["kind"], registry=self._registry
        )
        self._refused = Counter(
            "monitoring_gateway_refused", "Writing requests that were refused for their content.", registry=self._registry
        )

    def answered(self, path: str, status: int) -> None:
        """Count an answer. `path` is the path of the route, not of the request, so that it has few values."""
        self._requests.labels(path, str(status)).inc()

    def took(self, **counts: int) -> None:
        """Count accepted points by kind."""
        for kind, count in counts.items():
            if count:
                self._points.labels(kind).inc(count)

    def refused(self) -> None:
        self._refused.inc()

    def text(self, sites: "SiteMetrics") -> bytes:
        """All metrics in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(sites)
        return generate_latest(self._registry) + generate_latest(registry)


@dataclass(frozen=True, slots=True)
class LocationMetrics:
    """The statistics and alerts of all sites from one location; "" is the one without a name."""

    location: str
    stats: Mapping[str, SiteStats]
    last_alerts: Collection[Alert]


class SiteMetrics(Collector):
    """The metrics of sites from all locations (None: the database does not answer). A location without name has no label."""

    def __init__(self, locations: Sequence[LocationMetrics] | None) -> None:
        self._locations = locations

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "monitoring_database_up", "1 when the gateway reaches its database.", float(self._locations is not None)
        )
        if self._locations is None:
            return
        up = GaugeMetricFamily("monitoring_site_up", "0 while an alert is open.", labels=LABELS)
        available = GaugeMetricFamily(
            "monitoring_site_availability_ratio", "Available share of the past 10 minutes.", labels=LABELS
        )
        checks = GaugeMetricFamily("monitoring_site_checks", "Checks in the past 10 minutes.", labels=LABELS)
        for found in self._locations:
            down = {alert.host for alert in found.last_alerts if outage_is_open(alert)}
            for host, site in sorted(found.stats.items()):
                labels = [host, found.location] if found.location else [host]
                up.add_metric(labels, float(host not in down))
                if site.judged_ms:
                    available.add_metric(labels, site.available_ms / site.judged_ms)
                checks.add_metric(labels, site.checks)
        yield from (up, available, checks)
