"""Asks the store what each site's window held, lets the rule decide, and records the transitions."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from monitoring import alerting
from monitoring.clock import Clock
from monitoring.models import Alert, AlertType, Downtime, History, Rule, Site, Window
from monitoring.states import outage_is_open

if TYPE_CHECKING:
    from monitoring.store.replicated import ReplicatedStore

Evaluate = Callable[[bool, Downtime, Rule], alerting.Verdict]


class Judge:
    """Knows each site's last transition and adds the next one when the rule says so."""

    def __init__(
        self,
        sites: Iterable[Site],
        store: "ReplicatedStore",
        clock: Clock,
        last_alerts: Mapping[str, Alert],
        histories: Mapping[str, History],
        evaluate: Evaluate,
    ) -> None:
        """`histories` is read at every recovery: it follows the checks as they are made."""
        self._sites = tuple(sites)
        self._store = store
        self._clock = clock
        self._last = dict(last_alerts)
        self._histories = histories
        self._evaluate = evaluate

    def watch(self, sites: Iterable[Site]) -> None:
        """Judge these sites from the next round on; what was decided of others is remembered."""
        self._sites = tuple(sites)

    def last_alert(self, host: str) -> Alert | None:
        """The newest transition of a site."""
        return self._last.get(host)

    def open_outages(self) -> list[Alert]:
        """The alerts that no recovery has followed, of the sites that are watched; oldest first."""
        last = (self._last.get(site.host) for site in self._sites)
        return sorted((alert for alert in last if alert and outage_is_open(alert)), key=lambda alert: alert.start_ms)

    def verdict(self, site: Site, seen: Downtime) -> alerting.Verdict:
        """What the rule says of a site whose window held `seen`."""
        return self._evaluate(outage_is_open(self._last.get(site.host)), seen, site.rule)

    def step(self) -> list[Alert]:
        """Judge every site once; returns the new transitions, already recorded. Raises `StoreError`."""
        self._store.commit()
        now_ms = self._clock.now_ms()
        found: list[Alert] = []
        for window_ms, sites in self._by_window().items():
            found += self._judge(sites, Window.before(now_ms, window_ms))
        for alert in found:
            self._last[alert.host] = alert
            self._store.record(alert)
        if found:
            self._store.commit()  # stored before it is announced: a monitor killed in between announces nothing twice
        return found

    def _by_window(self) -> Mapping[int, Sequence[Site]]:
        """One question answers for all sites whose windows are equally long."""
        groups: defaultdict[int, list[Site]] = defaultdict(list)
        for site in self._sites:
            groups[site.rule.window_ms].append(site)
        return groups

    def _judge(self, sites: Sequence[Site], window: Window) -> list[Alert]:
        seen = self._downtime({site.host for site in sites}, window)
        nothing = Downtime()
        decided = {site.host: self.verdict(site, seen.get(site.host, nothing)).transition for site in sites}
        down = [host for host, transition in decided.items() if transition is AlertType.ALERT]
        recovered = [host for host, transition in decided.items() if transition is AlertType.RECOVERY]
        return self._alerts(down, seen, window) + [self._recovery(host, seen[host], window.until_ms) for host in recovered]

    def _downtime(self, hosts: Collection[str], window: Window) -> Mapping[str, Downtime]:
        """Of those of these hosts for which anything can change: that have an open alert, or failed in the window."""
        failing = self._store.own_reader().failing(window)
        asked = {host for host in hosts if host in failing or outage_is_open(self._last.get(host))}
        if not asked:
            return {}
        return self._store.own_reader().downtime(window, asked)

    def _alerts(self, hosts: Sequence[str], seen: Mapping[str, Downtime], window: Window) -> list[Alert]:
        if not hosts:
            return []
        failures = self._store.own_reader().failures(window, hosts)
        decided_on = ((host, seen[host]) for host in hosts)
        return [
            # What has failed since `seen` stands at the end, and is no part of what was decided.
            alerting.alert_record(host, window.until_ms, was, failures.get(host, ())[: was.failures], self._last_end(host))
            for host, was in decided_on
        ]

    def _last_end(self, host: str) -> int:
        last = self._last.get(host)
        return last.end_ms or 0 if last else 0

    def _recovery(self, host: str, seen: Downtime, now_ms: int) -> Alert:
        history = self._histories.get(host)
        good_since_ms = history.good_since_ms if history and history.good_since_ms else now_ms
        return alerting.recovery_record(self._last[host], now_ms, seen, good_since_ms)
