"""Deletes from a database what was purged and what is older than retention, in short steps.

InfluxDB rewrites a whole shard (a week) for each deletion, so retention runs once a day, or more often if it is short.
"""

from collections.abc import Callable, Collection, Iterator

from monitoring.errors import StoreError
from monitoring.statistics.summary import Span
from monitoring.storage.base import Backend, Deletion
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS, HOUR_MS

ROUNDS = 30
"""Retention deletes about this fraction of what is kept at once."""

RETRY_MS = 60_000
"""A failed deletion is begun again after this time, when a statement that took too long is mostly over."""

PATIENCE = 5
"""After so many failures in a row they are reported."""

Steps = Iterator[None]
"""Work in short steps, one for each advance. May raise `StoreError`."""


class Upkeep:
    """Carries out purges and then retention. Begins a failed job again later. Used by one thread."""

    def __init__(self, next_job: Callable[[], Steps | None], retain: Callable[[int, int], Steps] | None) -> None:
        """`next_job` gives the oldest purge until it is carried out; None: there is none, so it is time for retention.

        `retain` deletes the checks and the alerts before two moments; None: that is not this program's task.
        """
        self._next_job = next_job
        self._retain = retain
        self._kept_ms: tuple[int, int] | None = None
        self._reached_ms = (0, 0)
        self._steps: Steps = iter(())
        self._failures = 0
        self._rest_until_ms = 0
        self.trouble: str | None = None
        """Why nothing can be deleted, once that has failed for some time."""

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on delete what is older than this. Before the first call nothing is deleted."""
        self._kept_ms = (checks_ms, alerts_ms)

    def step(self, now_ms: int) -> bool:
        """Take the next short step. False: there is nothing to do now."""
        if now_ms < self._rest_until_ms:
            return False
        try:
            was_one = self._advance(now_ms)
        except StoreError as error:
            self._steps = iter(())
            self._failures += 1
            self._rest_until_ms = now_ms + RETRY_MS
            self.trouble = str(error) if self._failures >= PATIENCE else None
            return False
        if not was_one:
            self._failures, self.trouble = 0, None
        return was_one

    def _advance(self, now_ms: int) -> bool:
        for _ in self._steps:
            return True
        if job := self._next_job():
            self._steps = job
            return True
        if self._retain is None or self._kept_ms is None:
            return False
        checks_ms, alerts_ms = (end_ms(now_ms, kept_ms) for kept_ms in self._kept_ms)
        if (checks_ms, alerts_ms) == self._reached_ms:
            return False
        self._steps = self._retain_until(checks_ms, alerts_ms, self._retain)
        return True

    def _retain_until(self, checks_ms: int, alerts_ms: int, retain: Callable[[int, int], Steps]) -> Steps:
        yield from retain(checks_ms, alerts_ms)
        self._reached_ms = (checks_ms, alerts_ms)


def monitor_upkeep(file: LocalStore, backend: Backend, *, is_ours: bool) -> Upkeep:
    """Upkeep of the database that this file is delivered to, for the sites of this file.

    `is_ours`: this monitor deletes there. (A gateway's database is kept by the gateway.)
    """

    def next_job() -> Steps | None:
        deletion = file.next_deletion()
        return purge(deletion) if deletion else None

    def purge(deletion: Deletion) -> Steps:
        if is_ours:
            yield from backend.delete(deletion)
        file.deletion_done(deletion)

    def retain(checks_before_ms: int, alerts_before_ms: int) -> Steps:
        return delete_older(backend, file.hosts(), checks_before_ms, alerts_before_ms)

    return Upkeep(next_job, retain if is_ours else None)


def delete_older(backend: Backend, hosts: Collection[str] | None, checks_before_ms: int, alerts_before_ms: int) -> Steps:
    """Delete what is too old of these hosts (None: of all). Hours and days go when checks and alerts of their time do."""
    whole_before_ms = Span.DAY.start_of(min(checks_before_ms, alerts_before_ms))
    yield from backend.delete(Deletion(hosts, checks_before_ms, spans=(Span.MINUTE,), alerts=False))
    yield from backend.delete(Deletion(hosts, whole_before_ms, checks=False, spans=(Span.HOUR, Span.DAY), alerts=False))
    yield from backend.delete(Deletion(hosts, alerts_before_ms, checks=False, spans=()))


def end_ms(now_ms: int, kept_ms: int) -> int:
    """The moment before which everything is too old, in whole hours or days so that it moves seldom."""
    grain_ms = min(DAY_MS, max(HOUR_MS, kept_ms // ROUNDS // HOUR_MS * HOUR_MS))
    return (now_ms - kept_ms) // grain_ms * grain_ms
