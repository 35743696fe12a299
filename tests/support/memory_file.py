"""A local file in memory: the contract's, with all of its outbox, and nothing to wait for."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Downtime, Failure, Window
from monitoring.statistics import reference
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.statistics.summary import SiteSummary, Span, Summary, merge
from monitoring.storage.base import Deletion, Delivery, DeliveryRecord, Guard, Pending, Points, Refusal
from tests.support.memory_backend import MemoryBackend, MemoryDatabase

SETTLED_MS = 15_000
Point = CheckResult | Alert | SiteSummary


def kind_of(point: Point) -> str:
    if isinstance(point, SiteSummary):
        return point.span.kind
    return "checks" if isinstance(point, CheckResult) else "alerts"


def time_of(point: Point) -> int:
    return point.start_ms if isinstance(point, SiteSummary) else point.time_ms


def _is_alike(one: Refusal, other: Refusal) -> bool:
    return (one.kind, one.host, one.field, one.by_age) == (other.kind, other.host, other.field, other.by_age)


@dataclass(frozen=True)
class Entry:
    number: int
    point: Point
    created_ms: int


class IdleGuard:
    """Nothing ever happens to a file in memory."""

    is_saving = False
    away = None

    def look(self, now_ms: int, between: Callable[[], None]) -> None: ...

    def notices(self) -> Sequence[str]:
        return ()


class MemoryFile(MemoryBackend):
    """Keeps `LocalFile`. `trouble` is raised by every commit; `copy` and `restore` are a copy of the file, put back."""

    kind = "local"
    path = Path("config.db")

    def __init__(self) -> None:
        super().__init__(MemoryDatabase())
        self.trouble: StoreError | None = None
        self.marker = "file 1"
        self.guard: Guard = IdleGuard()
        self.deletions: list[Deletion] = []
        self.purged: Sequence[Deletion] = ()
        self.unconverted_ms = 0
        self.kept_ms: tuple[int, int] | None = None
        self._entries: list[Entry] = []
        self._number = 0
        self._acknowledged = 0
        self._newest_ms = self._summarised_ms = self._reached_ms = 0
        self._refusals: list[Refusal] = []
        self.in_flight = False

    # The writer's

    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:
        if self.trouble:
            raise self.trouble
        self.write(Points(checks, alerts))
        self._add([*checks, *alerts], now_ms)

    def _add(self, points: Iterable[Point], created_ms: int) -> None:
        for point in points:
            self._number += 1
            self._entries.append(Entry(self._number, point, created_ms))

    def take_over(self, alerts: Sequence[Alert]) -> None:
        self.write(Points(alerts=alerts))

    def maintenance_by_hand(self) -> Mapping[str, Window]:
        return {}

    def maintain(self, now_ms: int) -> bool:
        """Summaries of all spans that are over, as one step."""
        if self.trouble:
            raise self.trouble
        until_ms = Span.MINUTE.start_of(now_ms - SETTLED_MS)
        if until_ms <= self._reached_ms:
            return False
        made = [one for span in Span for one in self._summarised(span, self._reached_ms, until_ms)]
        self.write(Points(summaries=made))
        self._add(made, now_ms)
        self._reached_ms = until_ms
        return True

    def _summarised(self, span: Span, from_ms: int, until_ms: int) -> Iterable[SiteSummary]:
        groups: dict[tuple[str, int], list[CheckResult]] = {}
        for check in self.results(Window(0, until_ms)):
            start_ms = span.start_of(check.time_ms)
            if from_ms < start_ms + span.length_ms <= until_ms:
                groups.setdefault((check.host, start_ms), []).append(check)
        for (host, start_ms), checks in sorted(groups.items()):
            whole = Summary.of(checks)
            yield SiteSummary(host, span, start_ms, whole if span is Span.MINUTE else merge([whole], exact=False))

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None:
        self.kept_ms = (checks_ms, alerts_ms)

    def hosts(self) -> Collection[str]:
        return {host for _, host in self.held.checks}

    def expired(self) -> int:
        return 0

    def next_deletion(self) -> Deletion | None:
        return None if self.in_flight or not self.deletions else self.deletions[0]

    def deletion_done(self, deletion: Deletion) -> None:
        self.deletions.remove(deletion)

    # The forwarder's

    def next_delivery(self, limit: int) -> Delivery | None:
        taken = self._entries[:limit]
        self.in_flight = bool(taken)
        if not taken:
            return None
        found = [entry.point for entry in taken]
        points = Points(
            [point for point in found if isinstance(point, CheckResult)],
            [point for point in found if isinstance(point, Alert)],
            [point for point in found if isinstance(point, SiteSummary)],
        )
        newest_ms = max((time_of(point) for point in (*points.checks, *points.alerts)), default=0)
        ends = [one.start_ms + one.span.length_ms for one in points.summaries if one.span is Span.MINUTE]
        return Delivery(points, taken[-1].number, 0, newest_ms, max(ends, default=0))

    def acknowledge(self, delivery: Delivery, refused: Iterable[Refusal] = ()) -> None:
        self.in_flight = False
        self._entries = [entry for entry in self._entries if entry.number > delivery.last_entry]
        self._acknowledged = max(self._acknowledged, delivery.last_entry)
        self._newest_ms = max(self._newest_ms, delivery.newest_ms)
        self._summarised_ms = max(self._summarised_ms, delivery.summarised_ms)
        for refusal in refused:
            self._keep(refusal)

    def _keep(self, refusal: Refusal) -> None:
        """As a range: joined with what was refused before of the same; the newest reason stands for all."""
        for place, known in enumerate(self._refusals):
            if _is_alike(known, refusal):
                first_ms, last_ms = min(known.first_ms, refusal.first_ms), max(known.last_ms, refusal.last_ms)
                count = known.count + refusal.count
                self._refusals[place] = replace(refusal, first_ms=first_ms, last_ms=last_ms, count=count)
                return
        self._refusals.append(refusal)

    def postpone(self) -> None:
        self.in_flight = False

    def requeue(self, from_ms: int, until_ms: int) -> int:
        found = [point for point in self._everything() if overlaps(point, from_ms, until_ms)]
        self._entries = [entry for entry in self._entries if not overlaps(entry.point, from_ms, until_ms)]
        self._add(found, 0)
        return len(found)

    def requeue_alerts(self) -> None:
        self._entries = [entry for entry in self._entries if not isinstance(entry.point, Alert)]
        self._add(self.held.alerts.values(), 0)

    def _everything(self) -> list[Point]:
        held = self.held
        summaries = [SiteSummary(host, span, start_ms, it) for (span, start_ms, host), it in held.summaries.items()]
        return [*held.checks.values(), *held.alerts.values(), *summaries]

    def renew_marker(self) -> None:
        self.marker += "'"

    def pending(self) -> Pending:
        summaries = sum(isinstance(entry.point, SiteSummary) for entry in self._entries)
        oldest_ms = min((entry.created_ms for entry in self._entries), default=None)
        return Pending(len(self._entries) - summaries, summaries, oldest_ms)

    def refusals(self) -> Sequence[Refusal]:
        return tuple(self._refusals)

    def refused_sample(self, kind: str, limit: int) -> Points:
        keys = {(it.host, it.last_ms) for it in self._refusals if it.kind == kind and not it.by_age}
        found = [it for it in self._everything() if kind_of(it) == kind and (it.host, time_of(it)) in keys][:limit]
        return Points(
            [point for point in found if isinstance(point, CheckResult)],
            [point for point in found if isinstance(point, Alert)],
            [point for point in found if isinstance(point, SiteSummary)],
        )

    def retry_refused(self, kind: str) -> None:
        again = [it for it in self._refusals if it.kind == kind and not it.by_age]
        self._refusals = [it for it in self._refusals if it not in again]
        self._add(
            [
                point
                for point in self._everything()
                for it in again
                if kind_of(point) == kind and point.host == it.host and it.first_ms <= time_of(point) <= it.last_ms
            ],
            0,
        )

    def delivered(self) -> DeliveryRecord:
        """The marks lie before whatever waits."""
        points = [time_of(entry.point) - 1 for entry in self._entries if not isinstance(entry.point, SiteSummary)]
        spans = [entry.point.start_ms for entry in self._entries if isinstance(entry.point, SiteSummary)]
        newest_ms, summarised_ms = min([self._newest_ms, *points]), min([self._summarised_ms, *spans])
        return DeliveryRecord(self._acknowledged, max(0, newest_ms), max(0, summarised_ms))

    # The reader's

    def downtime(
        self, window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
    ) -> Mapping[str, Downtime]:
        return reference.downtime(self.results(window), window, hosts, ended)

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        return reference.failures(self.results(window), window, hosts)

    def summaries(self, window: Window) -> Mapping[str, Summary]:
        hosts = {check.host for check in self.results(window)}
        return {host: Summary.of([it for it in self.results(window) if it.host == host]) for host in hosts}


def overlaps(point: Point, from_ms: int, until_ms: int) -> bool:
    length_ms = point.span.length_ms if isinstance(point, SiteSummary) else 1
    return time_of(point) < until_ms and from_ms < time_of(point) + length_ms
