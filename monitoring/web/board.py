"""The newest view of all sites: one thread reads it from the store, all requests are answered from it."""

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
"""The windows of the page, by their names in addresses and in labels of metrics."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Queries that run when a page needs them, in any thread. All but `series` read the store and raise `StoreError`.

    `last_checks` returns the newest checks of a site in order of time. `month` raises `ConfigError` for a future month.
    `explain` returns the lines of `--explain`: for now if the alert is open, else for the time of the alert. `deliveries`
    returns the notifications of an outage (None: they are not known here), and `series` the marks of a chart.
    """

    last_checks: Callable[[Site], Sequence[CheckResult]]
    month: Callable[[Month], MonthReport]
    explain: Callable[[Incident], Sequence[str]]
    deliveries: Callable[[Incident], Sequence[Entry] | None]
    series: Callable[[SiteKey, str], Sequence[Mark]]


AGED_EVERY_MS = 10_000
"""How often the text about the age of old numbers changes."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An `Overview` with the configured sites. Two snapshots with the same `version` are equal."""

    version: int
    overview: Overview
    sites: Mapping[str, Site] = field(default_factory=dict)
    taken_ns: int = 0


class Board(LatestView):
    """Keeps the newest snapshot. The reader thread of print mode fills it; any thread may call `latest`."""

    def __init__(self, clock: Clock, say: Callable[[str], None], questions: Questions) -> None:
        """`say` prints a sentence for whoever started the program."""
        super().__init__(clock.now_ms(), say)
        self._clock = clock
        self.questions = questions
        self._history: Sequence[Alert] = ()
        self._incidents: Sequence[Incident] = ()
        self._latest = Snapshot(0, Overview(self.view), {}, clock.monotonic_ns())

    def latest(self) -> Snapshot:
        """The newest snapshot, adjusted to its age: states that have not been read for a long time become unknown."""
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
        """Make everything that was read so far the newest snapshot. An unchanged `history` is not processed again."""
        kept = self._latest
        if history is not self._history:
            self._history, self._incidents = history, incidents(history)
        overview = Overview(self.view, self._incidents, days)
        known = {site.host: site for site in sites}
        before = replace(kept.overview, view=replace(kept.overview.view, now_ms=overview.view.now_ms))
        is_new = before != overview or kept.sites != known
        self._latest = Snapshot(kept.version + is_new, overview, known, self._clock.monotonic_ns())

    def fail(self, reason: str) -> None:
        """Show why the store cannot be read, beside the numbers that were read before."""
        self.read_error(reason)
        kept = self._latest
        if kept.overview.view.read_error != reason:
            view = replace(kept.overview.view, read_error=reason)
            self._latest = replace(kept, version=kept.version + 1, overview=replace(kept.overview, view=view))
