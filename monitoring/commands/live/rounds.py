"""The schedule of the statistics: which windows are shown, and when each is due."""

from collections.abc import Mapping, Sequence

from monitoring.checks.schedule import next_round
from monitoring.clock import Clock
from monitoring.units import DAY_MS, MINUTE_MS, NS_PER_MS

ROUNDS_MS = {600_000: 10_000, 3_600_000: 60_000}
"""How often each window is shown, by its length."""

RECENT_MS = DAY_MS
"""How old the alerts on a screen may be."""

EVERY_MS = {
    "10m": 10_000,
    "1h": MINUTE_MS,
    "24h": 2 * MINUTE_MS,
    **dict.fromkeys(("7d", "30d", "90d"), 10 * MINUTE_MS),
}
"""How often a page and a viewer read each window, by its name."""

OFTEN_MS, SELDOM_MS = 10_000, 60_000
ROUNDS_A_WINDOW = 60


def round_every_ms(window_ms: int) -> int:
    """How often a window of this length is shown: ten minutes every 10 s, an hour or longer every 60 s."""
    return min(SELDOM_MS, max(OFTEN_MS, window_ms // ROUNDS_A_WINDOW))


def rounds_of(windows_ms: Mapping[str, int]) -> Mapping[int, int]:
    """How often these windows are read, by their length."""
    return {length_ms: EVERY_MS[name] for name, length_ms in windows_ms.items()}


class Timer:
    """Is due every `period_ms` at a fixed rate. Missed times are skipped, not made up for."""

    def __init__(self, clock: Clock, period_ms: int, first_ms: int | None = None) -> None:
        """Due for the first time `first_ms` from now; None: in one period."""
        self._clock = clock
        self._period_ns = period_ms * NS_PER_MS
        self._start_ns = clock.monotonic_ns()
        self.due_ns = self._start_ns + (self._period_ns if first_ms is None else first_ms * NS_PER_MS)

    @property
    def is_due(self) -> bool:
        return self.due_ns <= self._clock.monotonic_ns()

    def done(self) -> None:
        """Not due again before the next period."""
        self.due_ns = next_round(self._start_ns, self._period_ns, self._clock.monotonic_ns())

    def make_due(self) -> None:
        """Make it due now."""
        self.due_ns = self._clock.monotonic_ns()


class Rounds:
    """When each window is due."""

    def __init__(self, clock: Clock, periods_ms: Mapping[int, int] = ROUNDS_MS, first_ms: int = 0) -> None:
        """`periods_ms`: how often each window is due, by its length. All are due for the first time `first_ms` from now."""
        self._timers = {window_ms: Timer(clock, period_ms, first_ms) for window_ms, period_ms in periods_ms.items()}

    @property
    def next_ns(self) -> int:
        """When the next window is due, by the monotonic clock."""
        return min(timer.due_ns for timer in self._timers.values())

    def due(self) -> Sequence[int]:
        """The lengths of the windows to show now. Each stays due until it is `done`."""
        return [window_ms for window_ms, timer in self._timers.items() if timer.is_due]

    def done(self, window_ms: int) -> None:
        """This window is not due again before its next round."""
        self._timers[window_ms].done()

    def make_due(self) -> None:
        """Make all windows due now."""
        for timer in self._timers.values():
            timer.make_due()
