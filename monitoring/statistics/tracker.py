"""Tracks the status of every site while its checks are made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitoring.models import Alert, CheckResult, LastState, Site, SiteStatus
from monitoring.statistics.status import advance, status


@dataclass(slots=True)
class RunTotals:
    """What one run has measured of a site; `maintenance_ms` is a part of `covered_ms`."""

    checks: int = 0
    covered_ms: int = 0
    available_ms: int = 0
    maintenance_ms: int = 0


@dataclass(frozen=True, slots=True)
class RestoredState:
    """What a monitor that starts knows from the runs before it."""

    last_alerts: Mapping[str, Alert] = field(default_factory=dict)
    last_states: Mapping[str, LastState] = field(default_factory=dict)
    recent_alerts: Sequence[Alert] = ()


class StatusTracker:
    """Keeps the state and the totals of each site, by host. Only a site's own checker writes them: no lock is needed."""

    def __init__(self, sites: Iterable[Site], last_states: Mapping[str, LastState]) -> None:
        self.last_states = dict(last_states)
        self.totals: dict[str, RunTotals] = {}
        self.watch(sites)

    def watch(self, sites: Iterable[Site]) -> None:
        """Accept checks of these sites from now on. Nothing that is known of other sites is lost."""
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
