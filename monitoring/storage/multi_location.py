"""Statistics, states and alerts of the configured sites, as one or several locations see them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter

from monitoring.alerts.log import END_MS, AlertLog
from monitoring.clock import Clock
from monitoring.display.view_model.values import SiteKey, SiteRow, StatsReport, stats_report
from monitoring.display.words import time_text
from monitoring.errors import ConfigError
from monitoring.models import Alert, LastState, Site, SiteStats, SiteStatus, Window
from monitoring.statistics.status import status, unlisted_site
from monitoring.statistics.windows import from_whole_hour, may_be_exact
from monitoring.storage.base import Reader
from monitoring.storage.routing import Readers
from monitoring.units import DAY_MS

DELAY_MS = 2_000
"""Windows end this long ago. A monitor commits twice a second and delivers at once, so their last checks have arrived."""

RECENTLY_MS = DAY_MS
"""A location that has not checked a site for this long is left out, unless no other has."""

_in_order = attrgetter("time_ms", "host", "location")


@dataclass(eq=False)
class LocationView:
    """What was read from one location: the alert records, and the states at `at_ms`.

    `missing`: how many checks are known only from summaries, by the length of the window reported on.
    """

    location: str
    log: AlertLog
    last_states: Mapping[str, LastState] = field(default_factory=dict)
    at_ms: int = 0
    missing: dict[int, int] = field(default_factory=dict)

    def status(self, site: Site, at_ms: int, before_ms: int = END_MS) -> SiteStatus:
        """The status of a site at a moment, by the alert records before another one."""
        return status(self.last_states.get(site.host), site, self.log.last(site.host, before_ms), at_ms)

    def left(self, hosts: Collection[str]) -> Iterator[Site]:
        """The sites with an open outage that are none of these."""
        for alert in self.log.ongoing():
            if alert.host not in hosts:
                yield unlisted_site(alert.host, self.last_states.get(alert.host))

    def has_seen(self, row: SiteRow) -> bool:
        """Whether this site was checked from here, in the window or recently."""
        state = self.last_states.get(row.host)
        return row.stats.checks > 0 or (state is not None and self.at_ms - state.last_ms < RECENTLY_MS)


class MultiLocationReport:
    """Asks the reader of each location, joins the answers, and remembers which alerts are known."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = tuple(sites)
        self._views: dict[str, LocationView] = {}
        self._current: Sequence[LocationView] = ()
        self._history: Sequence[Alert] | None = None
        self._statuses: Mapping[SiteKey, SiteStatus] | None = None

    def watch(self, sites: Sequence[Site]) -> None:
        """Report on these sites from now on."""
        self._sites, self._history, self._statuses = tuple(sites), None, None

    def new_alerts(self, readers: Readers, until_ms: int | None = None, now_ms: int = 0) -> Sequence[Alert]:
        """The new alert records of these sites, oldest first. Those that are gone at `now_ms` are forgotten.

        `until_ms`: only those decided before this moment. Raises `StoreError`.
        """

        def ask(reader: Reader, window: Window) -> Sequence[Alert]:
            return reader.alerts(Window(window.from_ms, until_ms or window.until_ms))

        before, hosts = self.purged, self._hosts()
        every = [it for view, reader in self._choose(readers) for it in view.log.read(partial(ask, reader), now_ms)]
        found = [alert for alert in every if alert.host in hosts]
        if every or self.purged != before:
            self._history = self._statuses = None
        return sorted(found, key=_in_order)

    @property
    def purged(self) -> int:
        """How often a site's newest record was deleted."""
        return sum(view.log.purged for view in self._views.values())

    def ongoing(self) -> Sequence[Alert]:
        """The open outages of these sites, oldest first."""
        hosts = self._hosts()
        found = [alert for view in self._current for alert in view.log.ongoing(hosts)]
        return sorted(found, key=lambda alert: alert.start_ms)

    def history(self) -> Sequence[Alert]:
        """All alert records of these sites read so far, oldest first; the same list until there are new ones."""
        if self._history is None:
            hosts = self._hosts()
            self._history = [alert for alert in self.records() if alert.host in hosts]
        return self._history

    def records(self) -> Sequence[Alert]:
        """All alert records read so far, also of other sites, oldest first."""
        found = [alert for view in self._current for host in view.log.hosts() for alert in view.log.of(host)]
        return sorted(found, key=_in_order)

    def reports(self, readers: Readers, windows_ms: Sequence[int], until_ms: int) -> Sequence[StatsReport]:
        """A report on the window of each of these lengths that ends at `until_ms`. Raises `StoreError`."""
        self.read_states(readers, until_ms)
        return [
            self._joined([self._read_report(view, readers[view.location], length_ms, until_ms) for view in self._current])
            for length_ms in windows_ms
        ]

    def _read_report(self, view: LocationView, reader: Reader, length_ms: int, until_ms: int) -> StatsReport:
        window = from_whole_hour(Window.before(until_ms, length_ms))
        found = reader.stats(window, exact=may_be_exact(window, len(self._sites)))
        view.missing[length_ms] = reader.missing(window)  # quick right after the statistics
        return self._report(view, reader, window, found, length_ms)

    def states(self, readers: Readers, until_ms: int) -> StatsReport:
        """A report on no time at all, which has only the states at `until_ms`. Raises `StoreError`."""
        self.read_states(readers, until_ms)
        nothing = Window(until_ms, until_ms)
        return self._joined([self._report(view, readers[view.location], nothing, {}, 0) for view in self._current])

    def _report(
        self, view: LocationView, reader: Reader, window: Window, found: Mapping[str, SiteStats], length_ms: int
    ) -> StatsReport:
        return stats_report(
            *(window, reader.kind, found, self._sites, lambda site, at_ms: view.status(site, at_ms, at_ms)),
            *(length_ms, view.location),
            last_states=view.last_states,
        )

    def read_states(self, readers: Readers, until_ms: int) -> None:
        """Read the states at `until_ms`, for `statuses`; `reports` reads them, too. Raises `StoreError`.

        Those that were read for the same moment are not read again, which takes longer than a window.
        """
        for view, reader in self._choose(readers):
            if view.at_ms != until_ms:
                view.last_states, view.at_ms, self._statuses = reader.last_states(until_ms), until_ms, None

    def statuses(self) -> Mapping[SiteKey, SiteStatus]:
        """The status of each site, by the states read last and the alerts read since; also of others with an open outage.

        The same values until something is read that may change them.
        """
        if self._statuses is None:
            hosts = self._hosts()
            self._statuses = {
                (site.host, view.location): view.status(site, view.at_ms)
                for view in self._current
                for site in (*self._sites, *view.left(hosts))
            }
        return self._statuses

    def missing(self) -> int:
        """How many checks of the windows reported on are known only from summaries."""
        return sum(max(view.missing.values(), default=0) for view in self._current)

    def _hosts(self) -> Collection[str]:
        return {site.host for site in self._sites}

    def _choose(self, readers: Readers) -> Sequence[tuple[LocationView, Reader]]:
        """The views of these locations, which are the reported ones until others are chosen."""
        for location in readers:
            self._views.setdefault(location, LocationView(location, AlertLog(location)))
        chosen = [self._views[location] for location in readers]
        if chosen != self._current:
            self._current, self._history, self._statuses = chosen, None, None
        return list(zip(self._current, readers.values(), strict=True))

    def _joined(self, reports: Sequence[StatsReport]) -> StatsReport:
        """One report with a row for each site and each location that has checked it recently, at least one for each site."""
        if len(reports) == 1:
            return reports[0]
        rows: list[SiteRow] = []
        for of_site in zip(*(report.rows for report in reports), strict=True):
            recent = [row for row, view in zip(of_site, self._current, strict=True) if view.has_seen(row)]
            rows += recent or [replace(of_site[0], location="")]
        return replace(reports[0], rows=tuple(rows))


def last_time(readers: Readers) -> int:
    """The newest time stored in any of them, in milliseconds; 0: they are empty."""
    return max((reader.last_time() or 0 for reader in readers.values()), default=0)


def moment_to_show(readers: Readers, clock: Clock, at_ms: int | None, name: str = "--at") -> int:
    """The end of what is shown: `at_ms`, or without it as late as everything has arrived.

    Raises `StoreError`, and `ConfigError`, which begins with the name of what was asked, for a time in the future.
    """
    now_ms = max(clock.now_ms(), last_time(readers) + 1)
    if at_ms is not None and at_ms > now_ms:
        raise ConfigError([f"{name}: {time_text(at_ms)} is yet to come"])
    return now_ms - DELAY_MS if at_ms is None else at_ms
