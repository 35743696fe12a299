"""Rounds of statistics: which windows are shown, and when each is due."""

from collections.abc import Mapping, Sequence

from monitoring.checks.schedule import next_round
from monitoring.clock import Clock
from monitoring.units import NS_PER_MS

ROUNDS_MS = {600_000: 10_000, 3_600_000: 60_000}
"""Each window of statistics, and how often it is shown."""

OFTEN_MS, SELDOM_MS = 10_000, 60_000
ROUNDS_A_WINDOW = 60


def round_every_ms(window_ms: int) -> int:
    """How often a window of any length is shown: ten minutes every 10 s, an hour and more every 60 s."""
    return min(SELDOM_MS, max(OFTEN_MS, window_ms // ROUNDS_A_WINDOW))


class Timer:
    """Something that is due every `period_ms`, at a fixed rate; what is late is left out, not made up for."""

    def __init__(self, clock: Clock, period_ms: int, first_ms: int | None = None) -> None:
        """It is due for the first time `first_ms` from now; None: in one period."""
        self._clock = clock
        self._period_ns = period_ms * NS_PER_MS
        self._start_ns = clock.monotonic_ns()
        self.due_ns = self._start_ns + (self._period_ns if first_ms is None else first_ms * NS_PER_MS)

    @property
    def is_due(self) -> bool:
        return self.due_ns <= self._clock.monotonic_ns()

    def done(self) -> None:
        """It was done, or cannot be: it is due again in its next period."""
        self.due_ns = next_round(self._start_ns, self._period_ns, self._clock.monotonic_ns())

    def hurry(self) -> None:
        """It is due now."""
        self.due_ns = self._clock.monotonic_ns()


class Rounds:
    """When each window of statistics is due."""

    def __init__(self, clock: Clock, periods_ms: Mapping[int, int] = ROUNDS_MS, first_ms: int = 0) -> None:
        """`periods_ms`: how often each length of window is shown; the first time `first_ms` from now."""
        self._timers = {window_ms: Timer(clock, period_ms, first_ms) for window_ms, period_ms in periods_ms.items()}

    @property
    def next_ns(self) -> int:
        """When the next window is due, by the monotonic clock."""
        return min(timer.due_ns for timer in self._timers.values())

    def due(self) -> Sequence[int]:
        """The windows that are to be shown now; each stays due until it is `done`."""
        return [window_ms for window_ms, timer in self._timers.items() if timer.is_due]

    def done(self, window_ms: int) -> None:
        """This window was shown, or cannot be: it is due again in its next round."""
        self._timers[window_ms].done()

    def hurry(self) -> None:
        """Everything is due: there is something new to show."""
        for timer in self._timers.values():
            timer.hurry()
