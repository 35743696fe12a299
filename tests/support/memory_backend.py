"""A backend in memory that answers by the pure functions: the contract's reference, and a database that never waits."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from monitoring.models import Alert, AlertType, Bucket, CheckResult, LastState, SiteStats, Window
from monitoring.statistics import windows
from monitoring.statistics.status import advance
from monitoring.statistics.summary import Span, Summary, merge, site_stats
from monitoring.storage.base import Counts, Deletion, DeliveryRecord, Ends, IsWanted, Points, always

FINER = {Span.MINUTE: None, Span.HOUR: Span.MINUTE, Span.DAY: Span.HOUR}


@dataclass
class Held:
    """What a database holds of one location, by identity: the same point written twice is one point."""

    checks: dict[tuple[int, str], CheckResult] = field(default_factory=dict)
    alerts: dict[tuple[int, str], Alert] = field(default_factory=dict)
    summaries: dict[tuple[Span, int, str], Summary] = field(default_factory=dict)

    def has_anything(self) -> bool:
        return bool(self.checks or self.alerts) or any(span is Span.DAY for span, _, _ in self.summaries)


@dataclass
class MemoryDatabase:
    """What all backends of one database share."""

    by_location: dict[str, Held] = field(default_factory=dict)
    records: dict[str, DeliveryRecord] = field(default_factory=dict)
    markers: set[str] = field(default_factory=set)

    def open(self, location: str) -> "MemoryBackend":
        return MemoryBackend(self, location)


class MemoryBackend:
    """Keeps `Backend`. Whole summaries that tell of more checks than there are points are believed."""

    kind = "memory"
    name = "a database in memory"

    def __init__(self, database: MemoryDatabase, location: str = "") -> None:
        self._database = database
        self._location = location

    @property
    def held(self) -> Held:
        return self._database.by_location.get(self._location, Held())

    def ping(self) -> None:
        """It is always there."""

    # Writing

    def verify(self, marker: str) -> DeliveryRecord | None:
        self._database.markers.add(marker)
        return self._database.records.get(marker)

    def record(self, marker: str, record: DeliveryRecord) -> None:
        self._database.records[marker] = record

    def write(self, points: Points) -> None:
        held = self._database.by_location.setdefault(self._location, Held())
        held.checks.update({(check.time_ms, check.host): check for check in points.checks})
        held.alerts.update({(alert.time_ms, alert.host): alert for alert in points.alerts})
        held.summaries.update({(one.span, one.start_ms, one.host): one.summary for one in points.summaries})

    def delete(self, deletion: Deletion) -> Iterator[None]:
        held = self.held

        def goes(host: str, time_ms: int) -> bool:
            return time_ms < deletion.before_ms and (deletion.hosts is None or host in deletion.hosts)

        if deletion.checks:
            held.checks = {key: check for key, check in held.checks.items() if not goes(check.host, check.time_ms)}
        yield
        held.summaries = {
            key: it for key, it in held.summaries.items() if key[0] not in deletion.spans or not goes(key[2], key[1])
        }
        yield
        if deletion.alerts:
            last = self.last_alerts()
            kept = last.keys() if deletion.open_alerts_of is None else deletion.open_alerts_of
            still_open = {last[host] for host in kept if host in last and last[host].type is AlertType.ALERT}
            held.alerts = {key: it for key, it in held.alerts.items() if it in still_open or not goes(it.host, it.time_ms)}

    # Reading

    def stats(
        self, window: Window, *, exact: bool, ends: Ends | None = None, is_wanted: IsWanted = always
    ) -> Mapping[str, SiteStats]:
        hosts = {host for _, host in self.held.checks} | {host for *_, host in self.held.summaries}
        found = {host: self._parts(host, window, exact=exact) for host in hosts}
        return {host: _added_up(host, parts, window, exact=exact) for host, parts in found.items() if parts}

    def _parts(self, host: str, window: Window, *, exact: bool) -> list[tuple[int, Summary]]:
        """The start of each span that is believed, and its summary; checks are summaries of their own."""
        checks = [check for check in self.results(window) if check.host == host]
        parts = [(check.time_ms, Summary.of([check])) for check in checks]
        for span in (Span.MINUTE,) if exact else Span:
            for (other, start_ms, of_host), summary in self.held.summaries.items():
                end_ms = start_ms + span.length_ms
                if (other, of_host) == (span, host) and window.from_ms <= start_ms and end_ms <= window.until_ms:
                    inside = [part for part in parts if start_ms <= part[0] < end_ms]
                    if summary.checks > sum(part.checks for _, part in inside):
                        parts = [part for part in parts if not start_ms <= part[0] < end_ms] + [(start_ms, summary)]
        return parts

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        found = [check for key, check in sorted(self.held.checks.items()) if _inside(key[0], window)]
        return (check for check in found if hosts is None or check.host in hosts)

    def alerts(self, window: Window) -> Sequence[Alert]:
        return [alert for key, alert in sorted(self.held.alerts.items()) if _inside(key[0], window)]

    def last_alerts(self) -> Mapping[str, Alert]:
        return {alert.host: alert for _, alert in sorted(self.held.alerts.items())}

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        found: dict[str, LastState] = {}
        for (time_ms, host), check in sorted(self.held.checks.items()):
            if time_ms < before_ms:
                found[host] = advance(found.get(host), check)
        return found

    def last_time(self) -> int | None:
        return max((time_ms for time_ms, _ in [*self.held.checks, *self.held.alerts]), default=None)

    def missing(self, window: Window) -> int:
        hosts = {host for *_, host in self.held.summaries}
        told = sum(part.checks for host in hosts for _, part in self._parts(host, window, exact=False))
        return told - sum(host in hosts for host in (check.host for check in self.results(window)))

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        found: Counter[tuple[int, str]] = Counter()
        points = {"checks": self.held.checks, "alerts": self.held.alerts}.get(kind, {})
        numbers = [(key, 1) for key in points]
        numbers += [(key, it.checks) for (span, *key), it in self.held.summaries.items() if span.kind == kind]
        for (at_ms, host), number in numbers:
            if _inside(at_ms, window):
                found[each.start_of(at_ms) if each else window.from_ms, host] += number
        return found

    def locations(self) -> Sequence[str]:
        return sorted(place for place, held in self._database.by_location.items() if held.has_anything())

    def is_known(self) -> bool:
        return bool(self._database.markers or self._database.by_location)

    def close(self) -> None:
        """Nothing to free."""


def _inside(time_ms: int, window: Window) -> bool:
    return window.from_ms <= time_ms < window.until_ms


def _added_up(host: str, parts: Sequence[tuple[int, Summary]], window: Window, *, exact: bool) -> SiteStats:
    width_ms = windows.bucket_width_ms(window, exact=exact)
    by_mark = groupby(sorted(parts, key=lambda part: part[0]), lambda part: part[0] // width_ms)
    marks = {number: merge([summary for _, summary in own], exact=exact).mark() for number, own in by_mark}
    trend = [marks.get(number, Bucket()) for number in windows.bucket_range(window, exact=exact)]
    return site_stats(host, merge([summary for _, summary in parts], exact=exact), trend)
