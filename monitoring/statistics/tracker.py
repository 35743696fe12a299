"""Tracks the status of each site, check by check."""

import threading
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
    """Keeps the state and the totals of each site, by host. Only the checker of a site writes its totals."""

    def __init__(self, sites: Iterable[Site], last_states: Mapping[str, LastState]) -> None:
        self.last_states = dict(last_states)
        self.totals: dict[str, RunTotals] = {}
        self._lock = threading.Lock()
        self._newest: list[CheckResult] | None = None
        self.watch(sites)

    def watch(self, sites: Iterable[Site]) -> None:
        """Accept checks of these sites from now on. The state of all other sites is kept."""
        for site in sites:
            self.totals.setdefault(site.host, RunTotals())

    def observe(self, result: CheckResult) -> None:
        """Take in one check; the checks of a site come in order of time."""
        with self._lock:
            self.last_states[result.host] = advance(self.last_states.get(result.host), result)
            if self._newest is not None:
                self._newest.append(result)
        totals = self.totals[result.host]
        totals.checks += 1
        totals.covered_ms += result.covers_ms
        if result.maintenance:
            totals.maintenance_ms += result.covers_ms
        elif result.available:
            totals.available_ms += result.covers_ms

    def remember(self) -> None:
        """Remember the checks from now on, until `restore`."""
        with self._lock:
            self._newest = []

    def restore(self, stored: Mapping[str, LastState], purged: Mapping[str, int]) -> Mapping[str, int]:
        """Forget what is known of hosts from before a moment: go on from stored states and the checks since `remember`.

        `purged` are the hosts with their moments (ms). Returns those whose newest check is in neither, because it was on its
        way to the store: try again with these.
        """
        with self._lock:
            newest, self._newest = self._newest or (), None
            states = {host: stored.get(host) for host in purged}
            for result in newest:
                if result.host in states and _last_ms(states[result.host]) < result.time_ms:
                    states[result.host] = advance(states[result.host], result)
            known_ms = {host: _last_ms(self.last_states.get(host)) for host in purged}
            early = {host for host, last_ms in known_ms.items() if _last_ms(states[host]) < last_ms >= purged[host]}
            for host in states.keys() - early:
                self.last_states.pop(host, None)
                if state := states[host]:
                    self.last_states[host] = state
        return {host: purged[host] for host in early}

    def status(self, site: Site, last_alert: Alert | None, now_ms: int) -> SiteStatus:
        """The status of a site at `now_ms`, given its newest alert record."""
        return status(self.last_states.get(site.host), site, last_alert, now_ms)


def _last_ms(state: LastState | None) -> int:
    return -1 if state is None else state.last_ms
