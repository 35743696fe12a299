"""Applies the alert rule to the stored checks of all sites, and keeps each site's newest alert record."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitoring.alerts.rule import Decision, alert_record, recovery_record, unwatched_record
from monitoring.clock import Clock
from monitoring.models import Alert, AlertType, Downtime, LastState, Site, Window
from monitoring.statistics.status import counts_after_ms, outage_is_open
from monitoring.storage.base import OwnReader
from monitoring.thresholds import Rule

Evaluate = Callable[[bool, Downtime, Rule], Decision]
"""The rule: a function of whether an alert is open, the downtime in the window, and the thresholds. See `rule.evaluate`."""


class AlertStore(Protocol):
    """The parts of a store that the evaluator needs. It decides only from checks that this monitor has recorded itself."""

    def commit(self) -> None:
        """Make everything recorded so far readable."""

    def own_reader(self) -> OwnReader:
        """A reader of the local file, which never waits for a database."""

    def record(self, point: Alert) -> None:
        """Store an alert record."""


@dataclass(frozen=True, slots=True)
class Observations:
    """The downtime of sites in the windows that end at `until_ms`, by the length of the window (ms) and host."""

    until_ms: int
    downtimes: Mapping[int, Mapping[str, Downtime]]

    def of(self, site: Site) -> Downtime:
        """The downtime in the site's own alert window; zero when nothing was measured."""
        return self.downtimes[site.rule.window_ms].get(site.host) or Downtime()


class Evaluator:
    """In each round, `observe` all sites, `decide` for each of them, and `record` the state changes."""

    def __init__(
        self,
        store: AlertStore,
        clock: Clock,
        last_alerts: Mapping[str, Alert],
        last_states: Mapping[str, LastState],
        evaluate: Evaluate,
    ) -> None:
        """`last_states`, by host, belongs to the status tracker, which keeps it up to date."""
        self._store = store
        self._clock = clock
        self._last = dict(last_alerts)
        self._last_states = last_states
        self._evaluate = evaluate

    def forget(self, is_gone: Callable[[Alert], bool]) -> None:
        """Keep none of the records that were deleted."""
        self._last = {host: alert for host, alert in self._last.items() if not is_gone(alert)}

    def last_alert(self, host: str) -> Alert | None:
        """The newest alert record of a site."""
        return self._last.get(host)

    def open_outages(self, sites: Iterable[Site]) -> list[Alert]:
        """The alerts of these sites without a recovery, oldest first."""
        last = (self._last.get(site.host) for site in sites)
        return sorted((alert for alert in last if alert and outage_is_open(alert)), key=lambda alert: alert.start_ms)

    def observe(self, sites: Iterable[Site]) -> Observations:
        """Read the downtime of these sites, with one query for each length of window. Raises `StoreError`."""
        self._store.commit()
        now_ms, reader = self._clock.now_ms(), self._store.own_reader()
        downtimes = {}
        for window_ms, group in _by_window(sites).items():
            # For several sites, adding up all hosts is cheaper than naming them.
            hosts = [group[0].host] if len(group) == 1 else None
            window = Window.before(now_ms, window_ms)
            downtimes[window_ms] = reader.downtime(window, hosts, self._ended_in(window, group))
        return Observations(now_ms, downtimes)

    def _ended_in(self, window: Window, sites: Iterable[Site]) -> Mapping[str, int]:
        """When the last outage or maintenance of each site ended, by host, if that was within the window."""
        ends = ((site.host, self._counts_after_ms(site.host)) for site in sites)
        return {host: end_ms for host, end_ms in ends if end_ms >= window.from_ms}

    def _counts_after_ms(self, host: str) -> int:
        state = self._last_states.get(host)
        return counts_after_ms(self._last.get(host), state.last_maintenance_ms if state else None)

    def decide(self, site: Site, observed: Observations) -> Decision:
        """The decision of the rule for a site."""
        return self._evaluate(outage_is_open(self._last.get(site.host)), observed.of(site), site.rule)

    def record(self, changed: Mapping[Site, AlertType], observed: Observations) -> list[Alert]:
        """Store and return a record of each of these changes, which were decided from `observed`. Raises `StoreError`."""
        down = [site for site, change in changed.items() if change is AlertType.ALERT]
        recovered = [site for site, change in changed.items() if change is AlertType.RECOVERY]
        return self._store_all([*self._alerts(down, observed), *(self._recovery(site, observed) for site in recovered)])

    def end_unwatched(self, watched: Iterable[Site]) -> list[Alert]:
        """End the outages of all other sites; store and return their records. Raises `StoreError`."""
        hosts, now_ms = {site.host for site in watched}, self._clock.now_ms()
        left = [alert for host, alert in self._last.items() if host not in hosts and outage_is_open(alert)]
        return self._store_all([unwatched_record(alert, now_ms) for alert in left])

    def _store_all(self, found: list[Alert]) -> list[Alert]:
        for alert in found:
            self._last[alert.host] = alert
            self._store.record(alert)
        if found:
            self._store.commit()  # before anything is announced, so that a monitor killed in between announces nothing twice
        return found

    def _alerts(self, sites: Iterable[Site], observed: Observations) -> Iterator[Alert]:
        reader = self._store.own_reader()
        for window_ms, group in _by_window(sites).items():
            window = Window.before(observed.until_ms, window_ms)
            failures = reader.failures(window, [site.host for site in group])
            for site in group:
                seen = observed.of(site)
                # Failures that were stored after the observation come last. The decision did not include them.
                known = failures.get(site.host, ())[: seen.failures]
                yield alert_record(site.host, window.until_ms, seen, known, self._counts_after_ms(site.host))

    def _recovery(self, site: Site, observed: Observations) -> Alert:
        state = self._last_states.get(site.host)
        good_since_ms = state.good_since_ms if state and state.good_since_ms else observed.until_ms
        return recovery_record(self._last[site.host], observed.until_ms, observed.of(site), good_since_ms)


def _by_window(sites: Iterable[Site]) -> Mapping[int, Sequence[Site]]:
    """The sites, grouped by the length of their alert window in milliseconds."""
    groups: defaultdict[int, list[Site]] = defaultdict(list)
    for site in sites:
        groups[site.rule.window_ms].append(site)
    return groups
