"""A clock that stands still until it is told to go."""

from monitoring.clock import Stop

NS_PER_MS = 1_000_000


class FakeClock:
    """Keeps `monitoring.clock.Clock`; `wait` moves time on instead of waiting."""

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        self._wall_ms = now_ms
        self._mono_ns = 5_000 * NS_PER_MS

    def now_ms(self) -> int:
        return self._wall_ms

    def monotonic_ns(self) -> int:
        return self._mono_ns

    def stamp_ms(self, monotonic_ns: int) -> int:
        return self._wall_ms + (monotonic_ns - self._mono_ns) // NS_PER_MS

    def ahead_ms(self) -> int:
        return 0

    def start_after(self, last_ms: int | None) -> None:
        self._wall_ms = max(self._wall_ms, 0 if last_ms is None else last_ms + 1)

    def advance(self, seconds: float) -> None:
        self._wall_ms += round(seconds * 1000)
        self._mono_ns += round(seconds * 1000) * NS_PER_MS

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock, as NTP or a suspended machine does."""
        self._wall_ms += round(seconds * 1000)

    def wait(self, stop: Stop, seconds: float) -> bool:
        self.advance(max(0.0, seconds))
        return stop.is_set()
