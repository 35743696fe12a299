"""The values that are shown. Names end in units, as in `monitoring.models`."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType

from monitoring.display.words import NOTHING_KNOWN, WAITING
from monitoring.models import Alert, LastState, Site, SiteStats, SiteStatus, State, Window
from monitoring.statistics import windows
from monitoring.statistics.status import outage_is_open
from monitoring.statistics.tracker import RunTotals
from monitoring.thresholds import Rule
from monitoring.units import DAY_MS

SiteKey = tuple[str, str]
"""A site as one location sees it: host and location."""

Statuses = Callable[[], Mapping[SiteKey, SiteStatus]]
"""Returns the current status by site and location. Only an output that shows it calls this."""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site in one window, seen from one location ("": one without a name).

    A site without checks in the window has empty `stats`. `last_check_ms` is its newest check (None: unknown), `address` its
    URL for people ("": unknown), `rule` its alert rule (None: unknown). A warning appears `certificate_warning_ms` before
    its certificate expires (0: never).
    """

    host: str
    name: str | None
    stats: SiteStats
    status: SiteStatus
    location: str = ""
    group: str | None = None
    tags: tuple[str, ...] = ()
    last_check_ms: int | None = None
    address: str = ""
    rule: Rule | None = None
    certificate_warning_ms: int = 0

    @property
    def key(self) -> SiteKey:
        return self.host, self.location

    @property
    def availability(self) -> Fraction | None:
        """The exact percentage of the time that is either up or down; None: there is no such time."""
        return windows.availability(self.stats.available_ms, self.stats.judged_ms)

    @property
    def detail(self) -> str:
        """Why the site fails, or failed until it answered again; "" if it is up or in maintenance."""
        return self.status.detail if self.status.state in {State.FAILING, State.DOWN, State.RECOVERING} else ""

    def certificate_days(self, now_ms: int) -> int | None:
        """For how many whole days its certificate is valid, negative if it has expired; None: unknown."""
        certificate_s = self.status.certificate_s
        return None if certificate_s is None else (certificate_s * 1_000 - now_ms) // DAY_MS

    def certificate_due_ms(self, now_ms: int) -> int | None:
        """When its certificate expires, if that is soon enough for a warning; else None."""
        certificate_s, warning_ms = self.status.certificate_s, self.certificate_warning_ms
        if certificate_s is None or not warning_ms or self.status.state is State.PAUSED:
            return None
        return certificate_s * 1_000 if certificate_s * 1_000 - warning_ms <= now_ms else None

    @property
    def last_failure_ms(self) -> int | None:
        """The newest failure in the window or the status; None: there is none."""
        known = (self.stats.last_failure_ms, self.status.last_failure_ms)
        return max((moment for moment in known if moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class StatsReport:
    """The statistics of all sites in one window, in the order of the configuration, with a row for each location.

    `source` is the store that was read: "influxdb", "local" or "gateway". `asked_ms` is the requested length, if the window
    is longer because it begins at a whole hour. A report of length 0 has only the states.
    """

    window: Window
    source: str
    rows: tuple[SiteRow, ...]
    asked_ms: int | None = None

    @property
    def length_ms(self) -> int:
        """The requested length."""
        return self.asked_ms or self.window.length_ms

    def coverage(self, row: SiteRow) -> Fraction:
        """The exact percentage of the window that the checks of a row cover."""
        return windows.coverage(row.stats.covered_ms, self.window.length_ms)


def unmeasured(statuses: Mapping[SiteKey, SiteStatus]) -> Mapping[SiteKey, int]:
    """The sites that are no longer measured, each with the end of its last check: there ends what is known of an outage."""
    return {key: until_ms for key, status in statuses.items() if (until_ms := status.measured_until_ms) is not None}


def with_statuses(report: StatsReport, statuses: Mapping[SiteKey, SiteStatus]) -> StatsReport:
    """The report with the current states, as far as they are known."""
    rows = tuple(
        row if (status := statuses.get(row.key, row.status)) is row.status else replace(row, status=status)
        for row in report.rows
    )
    return replace(report, rows=rows)


def stats_report(
    window: Window,
    source: str,
    found: Mapping[str, SiteStats],
    sites: Sequence[Site],
    status_of: Callable[[Site, int], SiteStatus],
    asked_ms: int | None = None,
    location: str = "",
    last_states: Mapping[str, LastState] = MappingProxyType({}),
) -> StatsReport:
    """A report with a row for each site, also for those without checks. `source` is the kind of the store that was read."""
    rows = (
        SiteRow(
            site.host,
            site.name,
            found.get(site.host) or SiteStats(site.host),
            status_of(site, window.until_ms),
            location,
            site.group,
            site.tags,
            state.last_ms if (state := last_states.get(site.host)) else None,
            site.address,
            site.rule,
            site.certificate_warning_ms,
        )
        for site in sites
    )
    return StatsReport(window, source, tuple(rows), asked_ms)


@dataclass(frozen=True, slots=True)
class Header:
    """The number of sites, the store that was read and why that one, and notes.

    It reads "{sites} sites · reading {source}: {why}". `why` may be empty. `names` are the configured names by host.
    """

    sites: int
    source: str
    why: str = ""
    notes: tuple[str, ...] = ()
    names: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a screen shows at `now_ms`.

    `reports` are in order of length; some may not have been read yet. `alerts` are recent state changes, newest last,
    `ongoing` the open alerts, oldest first. `statuses` are those of all sites, also of those without a row: a location has
    none if it has not checked for a day. `read_error` says why the store cannot be read now.
    """

    header: Header
    now_ms: int
    reports: Sequence[StatsReport] = ()
    alerts: Sequence[Alert] = ()
    ongoing: Sequence[Alert] = ()
    statuses: Mapping[SiteKey, SiteStatus] = field(default_factory=dict)
    read_error: str | None = None

    @property
    def notes(self) -> Sequence[str]:
        """What is wrong or worth knowing, for the head of a screen or page."""
        return (*filter(None, [self.read_error]), *self.header.notes)

    @property
    def absence(self) -> str:
        """Why there are no statistics yet."""
        return NOTHING_KNOWN if self.read_error else WAITING

    @property
    def unmeasured(self) -> Mapping[SiteKey, int]:
        """Until when each site was measured that nobody measures now."""
        rows = self.reports[0].rows if self.reports else ()
        return unmeasured({**self.statuses, **{row.key: row.status for row in rows}})


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """The statistics of one site in a run. `incidents` counts its alerts; `maintenance_ms` is part of `covered_ms`."""

    host: str
    name: str | None
    checks: int
    available_ms: int
    covered_ms: int
    incidents: int
    maintenance_ms: int = 0

    @property
    def judged_ms(self) -> int:
        return self.covered_ms - self.maintenance_ms

    @property
    def availability(self) -> Fraction | None:
        """The exact percentage of the time that is either up or down; None: there is no such time."""
        return windows.availability(self.available_ms, self.judged_ms)


def closing_rows(sites: Iterable[Site], totals: Mapping[str, RunTotals], alerts: Iterable[Alert]) -> tuple[ClosingRow, ...]:
    """A row for each site, from the `totals` of a run by host and its `alerts`."""
    incidents = Counter(alert.host for alert in alerts if outage_is_open(alert))
    return tuple(
        ClosingRow(
            *(site.host, site.name, seen.checks, seen.available_ms, seen.covered_ms),
            *(incidents[site.host], seen.maintenance_ms),
        )
        for site in sites
        for seen in (totals[site.host],)
    )


@dataclass(frozen=True, slots=True)
class Closing:
    """The summary of a run at `location`.

    `alerts` are those of the run, in order. `notes` are about data not stored yet. `stored` says where all is stored.
    """

    started_ms: int
    ended_ms: int
    rows: tuple[ClosingRow, ...]
    alerts: tuple[Alert, ...] = ()
    notes: tuple[str, ...] = ()
    location: str = ""
    stored: str = ""

    @property
    def names(self) -> Mapping[str, str | None]:
        """The configured names by host."""
        return {row.host: row.name for row in self.rows}

    @property
    def still_down(self) -> Sequence[Alert]:
        """The open outages, longest first."""
        newest = {alert.host: alert for alert in self.alerts}
        return sorted(filter(outage_is_open, newest.values()), key=lambda alert: alert.start_ms)

    @property
    def past(self) -> Sequence[Alert]:
        """The state changes, except those of `still_down`."""
        return _without(self.still_down, self.alerts)

    def coverage(self, row: ClosingRow) -> Fraction:
        """The exact percentage of the run that the checks of a row cover."""
        return windows.coverage(row.covered_ms, max(1, self.ended_ms - self.started_ms))


def _without(some: Iterable[Alert], alerts: Iterable[Alert]) -> Sequence[Alert]:
    keys = {(it.time_ms, it.host, it.location) for it in some}
    return [it for it in alerts if (it.time_ms, it.host, it.location) not in keys]
