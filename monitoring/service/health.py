"""Reports what fails in the monitor itself: once when it starts, once when it ends, and in the header meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from monitoring.clock import Clock
from monitoring.display.words import ahead_text, missed_text
from monitoring.errors import StoreError
from monitoring.storage.delivery.words import Condition, ConditionLog, expired_text
from monitoring.units import NS_PER_MS

REPORT_AFTER_MS = 2_000
"""How long after its beginning a burst is reported: by then all checkers have counted their missed checks."""

STALL_MS = 60_000
EXPIRY_MS = 2 * 3_600_000
"""Missed checks and checks that expire undelivered belong to one burst as long as no pause between them is longer."""


class BurstCounter:
    """Watches a counter that grows in bursts. Reports a burst soon after its beginning, and the rest at its end."""

    def __init__(self, pause_ms: int) -> None:
        """A burst is over when the counter has not grown for `pause_ms`."""
        self._pause_ns = pause_ms * NS_PER_MS
        self._reported = self._seen = 0
        self._began_ns: int | None = None
        self._grew_ns = 0
        self._was_reported = False

    def step(self, count: int, now_ns: int) -> int:
        """The part of the counter to report now, usually 0. The counter is at `count`."""
        if count > self._seen:
            if self._began_ns is None:
                self._began_ns, self._was_reported = now_ns, False
            self._seen, self._grew_ns = count, now_ns
        if self._began_ns is None:
            return 0
        is_over = now_ns - self._grew_ns >= self._pause_ns
        is_due = not self._was_reported and now_ns - self._began_ns >= REPORT_AFTER_MS * NS_PER_MS
        if is_over:
            self._began_ns = None
        if not (is_over or is_due):
            return 0
        more, self._reported, self._was_reported = self._seen - self._reported, self._seen, True
        return more


class FailureReporter:
    """Reports when something starts to fail, when the reason changes, and when it works again."""

    def __init__(
        self, report: Callable[[str], None], what: str, recovered: str, *, once: bool = False, tolerated: int = 0
    ) -> None:
        """`what` is in the report of a failure; `recovered` is the report when it works again.

        `once`: changes of the reason are not reported. `tolerated`: this many failures in a row are not reported.
        """
        self._report = report
        self._what = what
        self._recovered = recovered
        self._once = once
        self._tolerated = tolerated
        self._failures = 0
        self._reported: str | None = None

    @property
    def notes(self) -> Sequence[str]:
        """The present failure, if it was reported."""
        return [f"{self._what}: {self._reported}"] if self._reported else []

    @property
    def is_well(self) -> bool:
        """Did the last attempt succeed?"""
        return self._failures == 0

    def result(self, error: str | None) -> None:
        """Take in the outcome of an attempt; None: it succeeded."""
        if not error:
            if self._reported:
                self._report(self._recovered)
            self._failures, self._reported = 0, None
            return
        self._failures += 1
        is_new = self._reported is None if self._once else self._reported != error
        if is_new and self._failures > self._tolerated:
            self._report(f"{self._what}: {error}")
            self._reported = error

    def attempt(self, action: Callable[[], object]) -> None:
        """Call the action; if it raises an exception, that is the reason for the failure."""
        try:
            action()
        except StoreError as error:
            self.result(str(error))
        except Exception as error:  # noqa: BLE001 - the main loop must go on, whatever happens to one round
            self.result(f"{type(error).__name__}: {error}")
        else:
            self.result(None)


class StoreHealth(Protocol):
    """A store that reports on its own state."""

    @property
    def name(self) -> str:
        """The database's name for people."""

    def conditions(self) -> Sequence[Condition]:
        """The conditions of storage that people should know about now."""

    def expired(self) -> int:
        """How many checks reached the end of their retention, and were deleted, before they were delivered."""


class Health:
    """Failures in the monitor itself. The main loop asks about once a second."""

    def __init__(
        self,
        store: StoreHealth,
        missed: Callable[[], int],
        clock: Clock,
        others: Callable[[], Sequence[Condition]] | None = None,
    ) -> None:
        """`missed` returns the number of checks that were not made, `others` the conditions beside those of storage."""
        self._store = store
        self._count_missed = missed
        self._others = others or tuple
        self._clock = clock
        self._missed = BurstCounter(STALL_MS)
        self._expired = BurstCounter(EXPIRY_MS)
        self._log = ConditionLog()

    def conditions(self) -> Sequence[Condition]:
        """The conditions of storage and of the channels that people should know about now."""
        return [*self._store.conditions(), *self._others()]

    def header_notes(self) -> Sequence[str]:
        """The notes in the header, beside the source of the numbers and the reason for it."""
        missed, ahead_ms, expired = self._count_missed(), self._clock.ahead_ms(), self._store.expired()
        return [
            *([ahead_text(ahead_ms)] if ahead_ms else []),
            *([missed_text(missed)] if missed else []),
            *([expired_text(self._store.name, expired)] if expired else []),
            *(condition.text for condition in self.conditions() if not condition.is_why),
        ]

    def news(self) -> Iterator[str]:
        """Sentences on what has changed, for outputs without a header."""
        now_ns = self._clock.monotonic_ns()
        if more := self._missed.step(self._count_missed(), now_ns):
            yield missed_text(more)
        expired = self._store.expired()
        if self._expired.step(expired, now_ns):
            yield expired_text(self._store.name, expired)
        yield from self._log.news(self.conditions())
