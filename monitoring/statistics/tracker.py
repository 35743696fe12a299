"""Tracks the status of each site, check by check."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitoring.models import Alert, CheckResult, LastState, Site, SiteStatus
from monitoring.statistics.status import advance, status


@dataclass(slots=True)
class RunTotals:
    """The totals of a site in one run of the monitor; `covered_ms` includes `maintenance_ms`."""

    checks: int = 0
    covered_ms: int = 0
    available_ms: int = 0
    maintenance_ms: int = 0


@dataclass(frozen=True, slots=True)
class RestoredState:
    """The state that a starting monitor takes over from earlier runs."""

    last_alerts: Mapping[str, Alert] = field(default_factory=dict)
    last_states: Mapping[str, LastState] = field(default_factory=dict)
    recent_alerts: Sequence[Alert] = ()


class StatusTracker:
    """Keeps the state and the totals of each site, by host. No lock is needed: only the checker of a site writes them."""

    def __init__(self, sites: Iterable[Site], last_states: Mapping[str, LastState]) -> None:
        self.last_states = dict(last_states)
        self.totals: dict[str, RunTotals] = {}
        self.watch(sites)

    def watch(self, sites: Iterable[Site]) -> None:
        """Accept checks of these sites from now on. The state of all other sites is kept."""
        for site in sites:
            self.totals.setdefault(site.host, RunTotals())

    def observe(self, result: CheckResult) -> None:
        """Take in one check; the checks of a site come in order of time."""
        self.last_states[result.host] = advance(self.last_states.get(result.host), result)
        totals = self.totals[result.host]
        totals.checks += 1
        totals.covered_ms += result.covers_ms
        if result.maintenance:
            totals.maintenance_ms += result.covers_ms
        elif result.available:
            totals.available_ms += result.covers_ms

    def status(self, site: Site, last_alert: Alert | None, now_ms: int) -> SiteStatus:
        """The status of a site at `now_ms`, given its newest alert record."""
        return status(self.last_states.get(site.host), site, last_alert, now_ms)
