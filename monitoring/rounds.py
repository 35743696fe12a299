"""Rounds of statistics: which windows are shown, when each is due, and how what a store found becomes a report."""

from collections.abc import Callable, Mapping, Sequence

from monitoring.clock import Clock
from monitoring.models import Site, SiteStats, SiteStatus, Window
from monitoring.report import SiteRow, StatsReport
from monitoring.schedule import NS_PER_MS, next_round

ROUNDS_MS = {600_000: 10_000, 3_600_000: 60_000}
"""Each window of statistics, and how often it is shown."""

OFTEN_MS, SELDOM_MS = 10_000, 60_000
ROUNDS_A_WINDOW = 60


def round_every_ms(window_ms: int) -> int:
    """How often a window of any length is shown: ten minutes every 10 s, an hour and more every 60 s."""
    return min(SELDOM_MS, max(OFTEN_MS, window_ms // ROUNDS_A_WINDOW))


class Rounds:
    """When each window is due; rounds that are late are left out, not made up for."""

    def __init__(self, clock: Clock, periods_ms: Mapping[int, int] = ROUNDS_MS, first_ms: int = 0) -> None:
        """`periods_ms`: how often each length of window is shown; the first time `first_ms` from now."""
        self._clock = clock
        self._periods_ms = periods_ms
        self._start_ns = clock.monotonic_ns()
        self._due_ns = dict.fromkeys(periods_ms, self._start_ns + first_ms * NS_PER_MS)

    def due(self) -> Sequence[int]:
        """The windows that are to be shown now; each stays due until it is `done`."""
        now_ns = self._clock.monotonic_ns()
        return [window_ms for window_ms, due_ns in self._due_ns.items() if due_ns <= now_ns]

    def done(self, window_ms: int) -> None:
        """This window was shown, or cannot be: it is due again in its next round."""
        period_ns = self._periods_ms[window_ms] * NS_PER_MS
        self._due_ns[window_ms] = next_round(self._start_ns, period_ns, self._clock.monotonic_ns())

    def hurry(self) -> None:
        """Everything is due: there is something new to show."""
        self._due_ns = dict.fromkeys(self._periods_ms, self._clock.monotonic_ns())


def stats_report(
    window: Window,
    source: str,
    found: Mapping[str, SiteStats],
    sites: Sequence[Site],
    status_of: Callable[[Site, int], SiteStatus],
    asked_ms: int | None = None,
    location: str = "",
) -> StatsReport:
    """A row a site, also for sites with nothing in the window; `source` is the kind of the store that found it."""
    rows = (
        SiteRow(
            site.host,
            site.name,
            found.get(site.host) or SiteStats(site.host),
            status_of(site, window.until_ms),
            location,
        )
        for site in sites
    )
    return StatsReport(window, source, tuple(rows), asked_ms)
