"""When the statistics of each window are due."""

from collections.abc import Mapping, Sequence

from monitoring.checks.schedule import next_round
from monitoring.clock import Clock
from monitoring.display.view_model.values import StatsReport
from monitoring.units import DAY_MS, MINUTE_MS, NS_PER_MS

ROUNDS_MS = {600_000: 10_000, 3_600_000: 60_000}
"""The period of each window of `-m` and `-p`, by its length."""

RECENT_MS = DAY_MS
"""The age up to which alerts are shown."""

EVERY_MS = {
    "10m": 10_000,
    "1h": MINUTE_MS,
    "24h": 2 * MINUTE_MS,
    **dict.fromkeys(("7d", "30d", "90d"), 10 * MINUTE_MS),
}
"""The period of each window of the page and the viewer, by its name."""

OFTEN_MS, SELDOM_MS = 10_000, 60_000
ROUNDS_A_WINDOW = 60


def round_every_ms(window_ms: int) -> int:
    """The period of a window of this length: 10 s for ten minutes, 60 s for an hour or more."""
    return min(SELDOM_MS, max(OFTEN_MS, window_ms // ROUNDS_A_WINDOW))


GROWN_BY = 5
"""A window is read again when it may hold a fifth more."""


def growing_every_ms(report: StatsReport) -> int:
    """How long until a window is worth reading again because it has grown; 10 s at least."""
    return max(OFTEN_MS, max((row.stats.covered_ms for row in report.rows), default=0) // GROWN_BY)


def rounds_of(windows_ms: Mapping[str, int]) -> Mapping[int, int]:
    """The periods of the page's and the viewer's windows, by their length."""
    return {length_ms: EVERY_MS[name] for name, length_ms in windows_ms.items()}


class Timer:
    """Due every `period_ms`, at a fixed rate. Missed times are skipped, not made up for."""

    def __init__(self, clock: Clock, period_ms: int, first_ms: int | None = None) -> None:
        """First due `first_ms` from now; None: after one period."""
        self._clock = clock
        self._period_ns = period_ms * NS_PER_MS
        self._start_ns = clock.monotonic_ns()
        self.due_ns = self._start_ns + (self._period_ns if first_ms is None else first_ms * NS_PER_MS)

    @property
    def is_due(self) -> bool:
        return self.due_ns <= self._clock.monotonic_ns()

    def done(self, within_ms: int | None = None) -> None:
        """It is due again at the next period, or `within_ms` from now if that is sooner."""
        now_ns = self._clock.monotonic_ns()
        self.due_ns = next_round(self._start_ns, self._period_ns, now_ns)
        if within_ms is not None:
            self.due_ns = min(self.due_ns, now_ns + within_ms * NS_PER_MS)

    def make_due(self) -> None:
        """Make it due now."""
        self.due_ns = self._clock.monotonic_ns()


class Rounds:
    """The timers of several windows."""

    def __init__(self, clock: Clock, periods_ms: Mapping[int, int] = ROUNDS_MS, first_ms: int = 0) -> None:
        """`periods_ms` are the periods of the windows, by their length. All are first due `first_ms` from now."""
        self._timers = {window_ms: Timer(clock, period_ms, first_ms) for window_ms, period_ms in periods_ms.items()}

    @property
    def next_ns(self) -> int:
        """When the next window is due, on the monotonic clock."""
        return min(timer.due_ns for timer in self._timers.values())

    def due(self) -> Sequence[int]:
        """The lengths of the windows that are due. Each stays due until it is `done`."""
        return [window_ms for window_ms, timer in self._timers.items() if timer.is_due]

    def done(self, window_ms: int, within_ms: int | None = None) -> None:
        """The window is due again at its next period, or `within_ms` from now if that is sooner."""
        self._timers[window_ms].done(within_ms)

    def make_due(self) -> None:
        """Make all windows due now."""
        for timer in self._timers.values():
            timer.make_due()
