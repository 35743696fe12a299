"""What leaves the database: what was purged from the local file, and what is older than retention. A short step at a time.

Each time something is deleted InfluxDB writes all it has of that week anew, so retention is seen to once a day, unless
it is short.
"""

from collections.abc import Collection, Iterator, Sequence

from monitoring.errors import StoreError
from monitoring.statistics.summary import Span
from monitoring.storage.base import Backend, Deletion, LocalFile

HOUR_MS, DAY_MS = Span.HOUR.length_ms, Span.DAY.length_ms

ROUNDS = 30
"""What is deleted at once is about this part of what is kept."""

RETRY_MS = 60_000
"""When a deletion that failed is begun again: a statement that took too long is mostly over by then."""

PATIENCE = 5
"""How often that may happen before it is told."""


class Upkeep:
    """Deletes in one database what this file no longer holds; used by the thread that delivers, when nothing waits."""

    def __init__(self, file: LocalFile, backend: Backend, *, is_ours: bool) -> None:
        """`is_ours`: nobody else deletes there what is older than retention, or purged."""
        self._file = file
        self._backend = backend
        self._is_ours = is_ours
        self._kept_ms: tuple[int, int] | None = None
        self._reached_ms = (0, 0)
        self._steps: Iterator[None] = iter(())
        self._failures = 0
        self._rest_until_ms = 0
        self.trouble: str | None = None

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None:
        self._kept_ms = (checks_ms, alerts_ms)

    def step(self, now_ms: int) -> bool:
        """Take the next short step; was there one? One that fails is taken again later."""
        if now_ms < self._rest_until_ms:
            return False
        try:
            went_on = self._advance(now_ms)
        except StoreError as error:
            self._steps = iter(())
            self._failures += 1
            self._rest_until_ms = now_ms + RETRY_MS
            self.trouble = str(error) if self._failures >= PATIENCE else None
            return False
        if not went_on:
            self._failures, self.trouble = 0, None
        return went_on

    def _advance(self, now_ms: int) -> bool:
        for _ in self._steps:
            return True
        deletion = self._file.next_deletion()
        if deletion is not None:
            self._steps = self._purge(deletion)
            return True
        end_ms = self._retention_ends(now_ms)
        if end_ms == self._reached_ms:
            return False
        self._steps = self._retain(*end_ms)
        return True

    def _purge(self, deletion: Deletion) -> Iterator[None]:
        if self._is_ours:
            yield from self._backend.delete(deletion)
        self._file.deletion_done(deletion)

    def _retention_ends(self, now_ms: int) -> tuple[int, int]:
        if self._kept_ms is None or not self._is_ours:
            return self._reached_ms
        checks_ms, alerts_ms = self._kept_ms
        return end_ms(now_ms, checks_ms), end_ms(now_ms, alerts_ms)

    def _retain(self, checks_before_ms: int, alerts_before_ms: int) -> Iterator[None]:
        for deletion in retention_deletions(self._file.hosts(), checks_before_ms, alerts_before_ms):
            yield from self._backend.delete(deletion)
        self._reached_ms = (checks_before_ms, alerts_before_ms)


def retention_deletions(hosts: Collection[str] | None, checks_before_ms: int, alerts_before_ms: int) -> Sequence[Deletion]:
    """What of these hosts (None: of all) is too old: minutes go with checks, whole hours and days when both are."""
    rolled_before_ms = Span.DAY.start_of(min(checks_before_ms, alerts_before_ms))
    return (
        Deletion(hosts, checks_before_ms, spans=(Span.MINUTE,), alerts=False),
        Deletion(hosts, rolled_before_ms, checks=False, spans=(Span.HOUR, Span.DAY), alerts=False),
        Deletion(hosts, alerts_before_ms, checks=False, spans=()),
    )


def end_ms(now_ms: int, kept_ms: int) -> int:
    """Up to when to delete: in whole hours or days, so that it moves seldom."""
    grain_ms = min(DAY_MS, max(HOUR_MS, kept_ms // ROUNDS // HOUR_MS * HOUR_MS))
    return (now_ms - kept_ms) // grain_ms * grain_ms
