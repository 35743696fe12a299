"""Reads what the viewer shows, as print mode does, but in a thread of its own, so that no key waits for a store."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from monitoring.clock import Clock
from monitoring.commands.live.printer import REFRESH_S, Printer
from monitoring.commands.live.rounds import rounds_of
from monitoring.commands.live.site_facts import SiteFactsReader
from monitoring.config import Config, ConfigWatcher
from monitoring.display.view_model.incidents import Incident, incidents
from monitoring.display.view_model.latest import LatestView, Notices
from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.values import Header, SiteKey, StatsReport, Statuses, View
from monitoring.display.view_model.viewing import WINDOWS_MS
from monitoring.errors import StoreError
from monitoring.models import Alert, SiteStatus
from monitoring.service.process import trim_memory
from monitoring.storage.multi_location import MultiLocationReport
from monitoring.storage.routing import ReaderChoice, Readers
from monitoring.units import NS_PER_MS
from monitoring.viewer.snapshot import Snapshot, Wanted

ROUNDS_MS = rounds_of(WINDOWS_MS)
"""The period of each window, by its length."""

REST, LONGEST_REST_MS = 40, 15_000
"""After a read that took t, the next one waits REST * t, but at most LONGEST_REST_MS. First reads do not wait."""

TOGETHER_MS = 200
"""Windows that are all read within this time are read at the same moment, as often as the shortest, so that they agree."""

NEVER_NS = 1 << 62
"""How long a window takes that was not read yet."""

MANY_SITES = 500
"""The screen is refreshed one second later for every this many sites."""

TRIM_AFTER_MS = 50
"""A step that took this long has read windows and freed much memory."""

INCIDENTS_EVERY_MS = 10_000


def shortest_first(due: Collection[int], wanted: Wanted, known: Collection[int]) -> Sequence[int]:
    """The window to read next: first the shortest, which has all sites; then the one on the screen."""
    needed = [length_ms for length_ms in sorted(due) if length_ms in wanted.every_ms]
    if known and wanted.window_ms in needed:
        return [wanted.window_ms]
    return needed[:1]


@dataclass(frozen=True, slots=True)
class Listing:
    """Which incidents to list: of which hosts (None: of the configured sites), since when, and how many."""

    is_wanted: Callable[[str], bool] | None = None
    since_ms: int = 0
    limit: int | None = None

    @property
    def is_of_all(self) -> bool:
        """Does it include sites that are not configured?"""
        return self.is_wanted is not None

    def of(self, alerts: Sequence[Alert]) -> Sequence[Incident]:
        """The incidents to list, newest first, from records in order of time."""
        wanted = self.is_wanted or (lambda _: True)
        found = [
            one
            for one in incidents(alert for alert in alerts if wanted(alert.host))
            if one.is_open or one.last.time_ms >= self.since_ms
        ]
        return found[: self.limit]


class NoticedView(LatestView):
    """Also keeps the program's own notices in the header for a while, as the live screen does."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms, lambda _: None)
        self._notices = Notices()

    def notice(self, text: str) -> None:
        self._notices.add(text, self.view.now_ms)

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        notes = (*header.notes, *self._notices.recent(now_ms))
        super().refresh(replace(header, notes=notes), now_ms, statuses, ongoing)


class ViewerFeed:
    """Implements `Feed`. It reads the present in rounds, as print mode does, and a past moment once."""

    def __init__(
        self,
        config: Config,
        choice: ReaderChoice,
        clock: Clock,
        watcher: ConfigWatcher | None = None,
        rounds_ms: Mapping[int, int] = ROUNDS_MS,
        listing: Listing = Listing(),
    ) -> None:
        """`rounds_ms` are the periods of the windows, by their length. `listing` says which incidents to list."""
        self._clock = clock
        self._choice = choice
        self._latest = NoticedView(clock.now_ms())
        self._printer = Printer(config, choice, clock, self._latest, rounds_ms, watcher, self._next, follows_growth=True)
        self._listing = listing
        self._wanted = Wanted(WINDOWS_MS["10m"])
        self._show: Callable[[Snapshot], None] = lambda _: None
        self._bell = threading.Event()
        self._is_started = self._shows_states_first = False
        self._rests_until_ns = 0
        self._reads: Sequence[int] = ()
        self._took_ns: dict[int, int] = {}
        self._incidents: Sequence[Incident] = ()
        self._incidents_of: object = None
        self._past: PastView | None = None
        self._facts = SiteFactsReader(self._printer, choice, clock)

    def start(self, show: Callable[[Snapshot], None], wanted: Wanted) -> None:
        self.look(show, wanted)
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    def look(self, show: Callable[[Snapshot], None], wanted: Wanted) -> None:
        """From now on pass what is wanted to `show` at every `step`."""
        self._show, self._wanted = show, wanted

    def want(self, wanted: Wanted) -> None:
        if wanted != self._wanted:
            self._wanted = wanted
            self._bell.set()

    def _run(self) -> None:
        while True:
            try:
                more = self.step()
            except Exception as error:  # noqa: BLE001 - one failure must not freeze the screen
                more = False
                self._show_failure(error)
            if not more:
                self._bell.wait(REFRESH_S * (1 + len(self._printer.config.sites) // MANY_SITES))
            self._bell.clear()

    def _show_failure(self, error: Exception) -> None:
        view = replace(self._latest.view, read_error=f"{type(error).__name__}: {error}")
        self._show(Snapshot(Overview(view, self._incidents), clock_ms=view.now_ms))

    def step(self) -> bool:
        """Read some of what is wanted, and show it. Returns whether there is more to read at once."""
        if not self._is_started:
            self._is_started = True
            self._printer.start()
            self._shows_states_first = self._printer.show_states()
        wanted, began_ns = self._wanted, self._clock.monotonic_ns()
        overview, is_complete = self._read_now(wanted) if wanted.at_ms is None else self._read_past(wanted, wanted.at_ms)
        has_more = self._facts.read(wanted)
        if self._clock.monotonic_ns() - began_ns > TRIM_AFTER_MS * NS_PER_MS:
            trim_memory()
        sites = {site.host: site for site in self._printer.config.sites}
        self._show(Snapshot(overview, sites, wanted.at_ms, self._printer.now_ms(), is_complete, self._facts.facts))
        return (has_more or not is_complete) and overview.view.read_error is None and bool(overview.view.reports)

    # The present

    def _next(self, due: Sequence[int]) -> Sequence[int]:
        """The windows to read next: one, or all if that is quick. During the store's rest only those never read count."""
        self._reads, known, wanted = (), self._known(), self._wanted
        if self._shows_states_first:
            self._shows_states_first = False
            return ()
        if self._clock.monotonic_ns() < self._rests_until_ns:
            due = [length_ms for length_ms in due if length_ms not in known]
        self._reads = shortest_first(due, wanted, known)
        if self._reads and sum(self._took_ns.get(it, NEVER_NS) for it in wanted.every_ms) <= TOGETHER_MS * NS_PER_MS:
            self._reads = sorted(wanted.every_ms)
        return self._reads

    def _known(self) -> AbstractSet[int]:
        """The windows that were read."""
        return {report.length_ms for report in self._latest.view.reports if report.length_ms}

    def _read_now(self, wanted: Wanted) -> tuple[Overview, bool]:
        began_ns = self._clock.monotonic_ns()
        self._printer.step()
        took_ns = self._clock.monotonic_ns() - began_ns
        self._took_ns.update(dict.fromkeys(self._reads, took_ns // max(1, len(self._reads))))
        self._rests_until_ns = max(self._rests_until_ns, began_ns + min(REST * took_ns, LONGEST_REST_MS * NS_PER_MS))
        view = self._latest.view
        return Overview(view, self._incidents_now(view)), wanted.every_ms <= self._known()

    def _incidents_now(self, view: View) -> Sequence[Incident]:
        """The incidents, put together again if the open outages have changed, or every 10 s."""
        of = (view.ongoing, view.now_ms // INCIDENTS_EVERY_MS)
        if self._incidents_of != of:
            self._incidents_of = of
            self._incidents = self._listing.of(
                self._printer.records() if self._listing.is_of_all else self._printer.history()
            )
        return self._incidents

    # A moment in the past

    def _read_past(self, wanted: Wanted, at_ms: int) -> tuple[Overview, bool]:
        config = self._printer.config
        if self._past is None or not self._past.is_of(config, at_ms):
            self._past = PastView(config, at_ms)
        past = self._past
        try:
            readers, source = self._choice.choose()
            past.read(readers, shortest_first(past.missing(wanted), wanted, past.reports))
            header, error = Header(len(config.sites), source.kind, source.why), None
        except StoreError as failure:
            self._printer.forget_readers(failure)
            header, error = self._latest.view.header, str(failure)
        reports = tuple(past.reports[length_ms] for length_ms in sorted(past.reports))
        view = View(header, at_ms, reports, (), tuple(past.ongoing()), past.statuses(), error)
        found = self._listing.of(past.records(of_all=self._listing.is_of_all))
        return Overview(view, found), not past.missing(wanted)


class PastView:
    """All sites at a past moment, read window by window."""

    def __init__(self, config: Config, at_ms: int) -> None:
        self._config = config
        self._at_ms = at_ms
        self._locations = MultiLocationReport(config.sites)
        self.reports: dict[int, StatsReport] = {}

    def is_of(self, config: Config, at_ms: int) -> bool:
        return self._config is config and self._at_ms == at_ms

    def missing(self, wanted: Wanted) -> Collection[int]:
        """The windows that are wanted but have not been read yet."""
        return wanted.every_ms - self.reports.keys()

    def read(self, readers: Readers, windows_ms: Sequence[int]) -> None:
        """Read these windows. Raises `StoreError`."""
        if not self.reports:
            self._locations.new_alerts(readers, self._at_ms)
        if windows_ms:
            for report in self._locations.reports(readers, windows_ms, self._at_ms):
                self.reports[report.length_ms] = report

    def records(self, *, of_all: bool) -> Sequence[Alert]:
        return self._locations.records() if of_all else self._locations.history()

    def ongoing(self) -> Sequence[Alert]:
        return self._locations.ongoing()

    def statuses(self) -> Mapping[SiteKey, SiteStatus]:
        return self._locations.statuses()
