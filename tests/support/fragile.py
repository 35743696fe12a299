"""A database in memory that can refuse, hang, forget, and be put back as it was."""

import copy
import threading
from collections.abc import Callable, Iterator, Mapping

from monitoring.errors import StoreError, StoreRefused, StoreUnavailable
from monitoring.models import SiteStats, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Counts, Deletion, DeliveryRecord, Ends, IsWanted, Points, always
from monitoring.storage.delivery.sending import Point
from tests.support.memory_backend import Held, MemoryBackend, MemoryDatabase

DOWN = StoreUnavailable("a database in memory does not answer")


class FragileBackend(MemoryBackend):
    """Keeps `Backend`.

    `trouble` is raised by whatever is asked of it. Points for which `refuses` returns an error are dropped, the others
    of their request are stored; `tells` is whether it says how many. `lost_answers`: so many writes are stored, and then
    fail all the same. `answers` is cleared while it hangs. `writes` are the requests that it took something of.
    """

    kind = "influxdb"

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        super().__init__(database or MemoryDatabase())
        self.trouble: StoreError | None = None
        self.refuses: Callable[[Point], StoreRefused | None] = lambda _: None
        self.tells = True
        self.lost_answers = 0
        self.requests = 0
        self.writes: list[Points] = []
        self.deletions: list[Deletion] = []
        self.answers = threading.Event()
        self.answers.set()

    def second(self) -> "FragileBackend":
        """Another client of the same database, with trouble of its own."""
        return FragileBackend(self._database)

    def verify(self, marker: str) -> DeliveryRecord | None:
        self._answer()
        return super().verify(marker)

    def record(self, marker: str, record: DeliveryRecord) -> None:
        self._answer()
        super().record(marker, record)

    def write(self, points: Points) -> None:
        self._answer()
        every: list[Point] = [*points.checks, *points.alerts, *points.summaries]
        errors = {id(point): error for point in every if (error := self.refuses(point))}
        super().write(
            Points(
                *([it for it in part if id(it) not in errors] for part in (points.checks, points.alerts, points.summaries))
            )
        )
        self.writes.append(points)
        if errors:
            error = next(iter(errors.values()))
            dropped = len(errors) if self.tells else None
            raise StoreRefused(str(error), dropped=dropped, field=error.field, by_age=error.by_age)
        if self.lost_answers:
            self.lost_answers -= 1
            raise DOWN

    def stats(
        self, window: Window, *, exact: bool, ends: Ends | None = None, is_wanted: IsWanted = always
    ) -> Mapping[str, SiteStats]:
        self._answer()
        return super().stats(window, exact=exact)

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        self._answer()
        return super().counts(window, kind, each)

    def delete(self, deletion: Deletion) -> Iterator[None]:
        self._answer()
        self.deletions.append(deletion)
        yield from super().delete(deletion)

    def _answer(self) -> None:
        self.requests += 1
        self.answers.wait()
        if self.trouble:
            raise self.trouble

    # What becomes of databases

    def copied(self) -> MemoryDatabase:
        return copy.deepcopy(self._database)

    def put_back(self, copied: MemoryDatabase) -> None:
        self._database = copy.deepcopy(copied)

    def lose_disk(self) -> None:
        self._database = MemoryDatabase()

    def lose_points(self) -> None:
        """The measurement of checks is dropped; summaries and records stay."""
        self.held.checks.clear()

    def lose_alerts(self) -> None:
        self.held.alerts.clear()

    def lose_shard(self, window: Window) -> None:
        """Everything of this time is gone, of all measurements."""
        held: Held = self.held
        held.checks = {key: it for key, it in held.checks.items() if not window.from_ms <= key[0] < window.until_ms}
        held.alerts = {key: it for key, it in held.alerts.items() if not window.from_ms <= key[0] < window.until_ms}
        held.summaries = {key: it for key, it in held.summaries.items() if not window.from_ms <= key[1] < window.until_ms}
