"""What is wrong with the monitor itself: the header says it while it lasts, and it is told once when it begins."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from monitoring.clock import Clock
from monitoring.display.words import ahead_text, missed_text
from monitoring.errors import StoreError
from monitoring.storage.delivery.words import Condition, ConditionLog, expired_text
from monitoring.units import NS_PER_MS

SETTLED_MS = 2_000
"""So long after a stall all checkers have counted what they missed."""

STALL_MS = 60_000
EXPIRY_MS = 2 * 3_600_000
"""What is missed, and what expires undelivered, with no longer a pause than this belongs together."""


class Tally:
    """A number that grows by fits and starts, to be told once a fit, and what it grew after that when the fit is over."""

    def __init__(self, pause_ms: int) -> None:
        """`pause_ms`: how long it stands still when a fit is over."""
        self._pause_ns = pause_ms * NS_PER_MS
        self._told = self._seen = 0
        self._began_ns: int | None = None
        self._grew_ns = 0
        self._is_told = False

    def step(self, count: int, now_ns: int) -> int:
        """How much of the number, which is `count` now, is to be told now; mostly 0."""
        if count > self._seen:
            if self._began_ns is None:
                self._began_ns, self._is_told = now_ns, False
            self._seen, self._grew_ns = count, now_ns
        if self._began_ns is None:
            return 0
        is_over = now_ns - self._grew_ns >= self._pause_ns
        is_settled = not self._is_told and now_ns - self._began_ns >= SETTLED_MS * NS_PER_MS
        if is_over:
            self._began_ns = None
        return self._tell() if is_over or is_settled else 0

    def _tell(self) -> int:
        self._is_told = True
        more, self._told = self._seen - self._told, self._seen
        return more


class Complaint:
    """Something that does not work: said when that begins and when its reason changes, and once when it is over."""

    def __init__(self, say: Callable[[str], None], what: str, over: str, *, once: bool = False, forgiven: int = 0) -> None:
        """`what` does not work, `over` says that it does again.

        `once`: a reason that changes is not said again; `forgiven`: so many failures in a row are not said.
        """
        self._say = say
        self._what = what
        self._over = over
        self._once = once
        self._forgiven = forgiven
        self._failures = 0
        self._said: str | None = None

    @property
    def is_well(self) -> bool:
        """Did it work the last time?"""
        return self._failures == 0

    def because(self, why: str | None) -> None:
        """How it went now; None: all is well."""
        if not why:
            if self._said:
                self._say(self._over)
            self._failures, self._said = 0, None
            return
        self._failures += 1
        is_news = self._said is None if self._once else self._said != why
        if is_news and self._failures > self._forgiven:
            self._say(f"{self._what}: {why}")
            self._said = why

    def about(self, attempt: Callable[[], object]) -> None:
        """Attempt it: whatever error that raises is the reason, none means that all is well."""
        try:
            attempt()
        except StoreError as error:
            self.because(str(error))
        except Exception as error:  # noqa: BLE001 - the main loop must go on, whatever happens to one round
            self.because(f"{type(error).__name__}: {error}")
        else:
            self.because(None)


class StoreConditions(Protocol):
    """What is asked of the store."""

    @property
    def name(self) -> str:
        """What people call the database."""

    def conditions(self) -> Sequence[Condition]:
        """What a person should know of storage now."""

    def expired(self) -> int:
        """How many checks retention took before a database that is to have everything had them."""


class Notes:
    """Asked about once a second by the main loop."""

    def __init__(self, store: StoreConditions, missed: Callable[[], int], clock: Clock) -> None:
        """`missed`: how many checks were not made."""
        self._store = store
        self._count_missed = missed
        self._clock = clock
        self._missed = Tally(STALL_MS)
        self._expired = Tally(EXPIRY_MS)
        self._log = ConditionLog()

    def standing(self) -> Sequence[str]:
        """What the header says beside the source of its numbers and why that is read."""
        missed, ahead_ms, expired = self._count_missed(), self._clock.ahead_ms(), self._store.expired()
        return [
            *([ahead_text(ahead_ms)] if ahead_ms else []),
            *([missed_text(missed)] if missed else []),
            *([expired_text(self._store.name, expired)] if expired else []),
            *(condition.text for condition in self._store.conditions() if not condition.is_why),
        ]

    def news(self) -> Iterator[str]:
        """What is to be told now, where no header is seen."""
        now_ns = self._clock.monotonic_ns()
        if more := self._missed.step(self._count_missed(), now_ns):
            yield missed_text(more)
        expired = self._store.expired()
        if self._expired.step(expired, now_ns):
            yield expired_text(self._store.name, expired)
        yield from self._log.news(self._store.conditions())
