"""The newest view of all sites: one thread reads the store and writes it, requests read it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from monitoring.clock import Clock
from monitoring.config.parsing.durations import Month
from monitoring.display.view_model.incidents import Incident, incidents
from monitoring.display.view_model.latest import LatestView
from monitoring.display.view_model.months import MonthReport
from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteKey
from monitoring.models import Alert, CheckResult, Site
from monitoring.storage.notifications import Entry
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS, NS_PER_MS

WINDOWS_MS = {"10m": 10 * MINUTE_MS, "1h": HOUR_MS, "24h": DAY_MS, "30d": 30 * DAY_MS, "90d": 90 * DAY_MS}
"""The windows that are read, by their names in addresses of pages and in labels of metrics."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked when a page needs it; from any thread. All but `series` ask the store, and raise `StoreError`.

    `last_checks` are the newest ones of a site, the oldest first; `month` raises `ConfigError` for one that has not begun;
    `explain` gives the lines of `--explain`, as it was when the alert was raised, or as it is while that is open;
    `deliveries` are the notifications of an outage (None: they are not known here); `series` are the marks of a chart.
    """

    last_checks: Callable[[Site], Sequence[CheckResult]]
    month: Callable[[Month], MonthReport]
    explain: Callable[[Incident], Sequence[str]]
    deliveries: Callable[[Incident], Sequence[Entry] | None]
    series: Callable[[SiteKey, str], Sequence[Mark]]


AGED_EVERY_MS = 10_000
"""How often one that grows old reads differently."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An `Overview` with the sites as they are configured; two with the same `version` are the same."""

    version: int
    overview: Overview
    sites: Mapping[str, Site] = field(default_factory=dict)
    taken_ns: int = 0


class Board(LatestView):
    """Print mode's reader fills it; `latest` may be called from any thread."""

    def __init__(self, clock: Clock, say: Callable[[str], None], questions: Questions) -> None:
        """`say` tells whoever started the program."""
        super().__init__(clock.now_ms(), say)
        self._clock = clock
        self.questions = questions
        self._history: Sequence[Alert] = ()
        self._incidents: Sequence[Incident] = ()
        self._latest = Snapshot(0, Overview(self.view), {}, clock.monotonic_ns())

    def latest(self) -> Snapshot:
        """The newest snapshot, as it reads now: what the store has not told for long is unknown."""
        kept = self._latest
        waited_ms = (self._clock.monotonic_ns() - kept.taken_ns) // NS_PER_MS
        aged = kept.overview.later(waited_ms)
        if aged is kept.overview:
            return kept
        return Snapshot(-(waited_ms // AGED_EVERY_MS), aged, kept.sites, kept.taken_ns)

    def keys(self) -> Sequence[SiteKey]:
        """The sites and locations of the newest report."""
        return [row.key for row in self.view.reports[0].rows] if self.view.reports else []

    def publish(self, sites: Sequence[Site], history: Sequence[Alert], days: Mapping[SiteKey, Sequence[Mark]]) -> None:
        """Make what was read so far the newest view. The same `history` is looked at once."""
        kept = self._latest
        if history is not self._history:
            self._history, self._incidents = history, incidents(history)
        overview = Overview(self.view, self._incidents, days, self.error)
        known = {site.host: site for site in sites}
        before = replace(kept.overview, view=replace(kept.overview.view, now_ms=overview.view.now_ms))
        is_new = before != overview or kept.sites != known
        self._latest = Snapshot(kept.version + is_new, overview, known, self._clock.monotonic_ns())

    def fail(self, reason: str) -> None:
        """Show why nothing new can be read, beside what was read before, which grows old."""
        self.read_error(reason)
        kept = self._latest
        if kept.overview.read_error != reason:
            self._latest = replace(kept, version=kept.version + 1, overview=replace(kept.overview, read_error=reason))
