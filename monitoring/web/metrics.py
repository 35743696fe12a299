"""The metrics of the sites for Prometheus.

Unknown values are absent: a site without a check for more than three intervals has no `up`, and while the store cannot be
read there are no metrics of sites at all.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring import __version__
from monitoring.display.text.jsonlines import response_times
from monitoring.display.view_model.incidents import lengths_by_cause, overlaps
from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.values import SiteRow
from monitoring.models import State
from monitoring.web.board import WINDOWS_MS, Snapshot

Sample = tuple[Sequence[str], float]

LABELS = ("site", "name", "location")

WINDOWS = {length_ms: name for name, length_ms in WINDOWS_MS.items()}
"""The label of each window, by its length."""


def metrics_text(overview: Overview) -> bytes:
    """All metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(SiteMetrics(overview))
    return generate_latest(registry)


class MetricsKeeper:
    """Renders the metrics of each snapshot once, for the first request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written = (0, b"")

    def text(self, snapshot: Snapshot) -> bytes:
        with self._lock:
            if self._written[0] != snapshot.version or not snapshot.version:
                self._written = snapshot.version, metrics_text(snapshot.overview)
            return self._written[1]


class SiteMetrics(Collector):
    """The metrics of the sites, seen from each location."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._is_known = bool(overview.rows) and not overview.is_stale

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("monitoring", "The version of the monitor.", {"version": __version__})
        readable = float(self._is_known and self._overview.view.read_error is None)
        yield _gauge("monitoring_store_up", "1 while the store of the checks can be read.", (), [((), readable)])
        if not self._is_known:
            return
        yield _gauge(
            "monitoring_store_read_timestamp_seconds",
            "Until when the numbers below hold what was measured.",
            (),
            [((), self._overview.view.reports[0].window.until_ms / 1_000)],
        )
        yield from self._current()
        yield from self._of_windows()

    def _current(self) -> Iterator[Metric]:
        for name, meaning, label, values in OF_A_SITE:
            samples = [
                ((*_labels(row), *([str(key)] if label else [])), value)
                for row in self._overview.rows
                for key, value in values(row)
                if value is not None
            ]
            yield _gauge(name, meaning, (*LABELS, label) if label else LABELS, samples)

    def _of_windows(self) -> Iterator[Metric]:
        reports = [(report, WINDOWS[report.length_ms]) for report in self._overview.view.reports]
        rows = [(report, row, (*_labels(row), window)) for report, window in reports for row in report.rows]
        labels = (*LABELS, "window")
        yield _gauge(
            "monitoring_site_availability_ratio",
            "Available share of the time that was measured.",
            labels,
            [(it, float(percent) / 100) for _, row, it in rows if (percent := row.availability) is not None],
        )
        yield _gauge(
            "monitoring_site_coverage_ratio",
            "Share of the window that was measured.",
            labels,
            [(it, float(report.coverage(row)) / 100) for report, row, it in rows],
        )
        yield _gauge(
            "monitoring_site_downtime_seconds",
            "Time that failed checks stand for.",
            labels,
            [(it, row.stats.down_ms / 1_000) for _, row, it in rows],
        )
        yield _gauge(
            "monitoring_site_maintenance_seconds",
            "Time in maintenance, which is neither up nor down.",
            labels,
            [(it, row.stats.maintenance_ms / 1_000) for _, row, it in rows],
        )
        yield _gauge(
            "monitoring_site_outage_seconds",
            "How long outages lasted, by the cause that most of their downtime had.",
            (*LABELS, "cause", "window"),
            list(self._outages()),
        )
        yield _gauge("monitoring_site_checks", "Checks.", labels, [(it, float(row.stats.checks)) for _, row, it in rows])

    def _outages(self) -> Iterator[Sample]:
        for report in self._overview.view.reports:
            lasted = overlaps(self._overview.incidents, report.window, self._overview.unmeasured)
            for row in report.rows:
                for cause, length_ms in lengths_by_cause(lasted.get(row.key, ())).items():
                    yield (*_labels(row), str(cause), WINDOWS[report.length_ms]), length_ms / 1_000


def _gauge(name: str, meaning: str, labels: Sequence[str], samples: Sequence[Sample]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, value in samples:
        family.add_metric(list(values), value)
    return family


def _labels(row: SiteRow) -> tuple[str, str, str]:
    return row.host, row.name or row.host, row.location


Values = Iterable[tuple[object, float | None]]


def _up(row: SiteRow) -> Values:
    if row.status.state not in {State.UNKNOWN, State.PAUSED}:
        yield "", float(row.status.state in {State.UP, State.FAILING, State.MAINTENANCE})


def _last_check(row: SiteRow) -> Values:
    yield "", None if row.last_check_ms is None else row.last_check_ms / 1_000


OF_A_SITE: Sequence[tuple[str, str, str, Callable[[SiteRow], Values]]] = (
    (
        "monitoring_site_up",
        "0 while an alert is open; absent while the site is not checked, or its monitor is away.",
        "",
        _up,
    ),
    (
        "monitoring_site_state",
        "1 for the state that the site is in.",
        "state",
        lambda row: ((it, float(row.status.state is it)) for it in State),
    ),
    ("monitoring_site_last_check_timestamp_seconds", "The time of the newest check.", "", _last_check),
    (
        "monitoring_site_certificate_expiry_timestamp_seconds",
        "The earliest expiry date in the certificate chain of the site.",
        "",
        lambda row: [("", row.status.certificate_s)],
    ),
    (
        "monitoring_site_response_time_seconds",
        "Response times of the available checks in the past 10 minutes.",
        "statistic",
        lambda row: response_times(row.stats.response).items(),
    ),
    (
        "monitoring_site_phase_seconds",
        "Mean duration of each phase of the available checks in the past 10 minutes.",
        "phase",
        lambda row: ((phase, time_us / 1_000_000) for phase, time_us in row.stats.phases_us.items()),
    ),
    (
        "monitoring_site_failures",
        "Failed checks in the past 10 minutes.",
        "cause",
        lambda row: row.stats.causes.items(),
    ),
)
"""Name, meaning, an additional label (or ""), and the values by that label (None: unknown)."""
