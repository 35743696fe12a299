"""What readers tell of the sites of a configuration: statistics, where each site stands, alerts, from each location."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitoring.alerts.log import AlertLog
from monitoring.display import SiteKey, SiteRow, StatsReport
from monitoring.display.values import stats_report
from monitoring.models import Alert, History, Site, SiteStatus, Window
from monitoring.statistics.status import status
from monitoring.statistics.windows import from_whole_hour, may_be_exact
from monitoring.storage.base import Reader
from monitoring.storage.routing import Readers

SEEN_MS = 86_400_000
"""A location that has not checked a site for so long is told of no more, unless it is the only one."""


class Survey:
    """Asks whatever readers it is given, and remembers what is worth keeping between two questions."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = tuple(sites)
        self._known: dict[str, Outlook] = {}
        self._told: Sequence[Outlook] = ()

    def watch(self, sites: Sequence[Site]) -> None:
        """Tell of these sites from now on."""
        self._sites = tuple(sites)
        for outlook in self._known.values():
            outlook.watch(sites)

    def new_alerts(self, readers: Readers, until_ms: int | None = None) -> Sequence[Alert]:
        """The transitions of these sites that were not told yet, oldest first; decided before `until_ms` if given."""
        found = [alert for outlook, reader in self._look(readers) for alert in outlook.new_alerts(reader, until_ms)]
        return sorted(found, key=lambda alert: (alert.time_ms, alert.host, alert.location))

    def ongoing(self) -> Sequence[Alert]:
        """The outages of these sites that are not over, oldest first."""
        found = [alert for outlook in self._told for alert in outlook.ongoing()]
        return sorted(found, key=lambda alert: alert.start_ms)

    def reports(self, readers: Readers, windows_ms: Sequence[int], until_ms: int) -> Sequence[StatsReport]:
        """The statistics of windows of these lengths, and the states by what was checked before `until_ms`."""
        found = [outlook.reports(reader, windows_ms, until_ms) for outlook, reader in self._look(readers)]
        return [self._joined(reports) for reports in zip(*found, strict=True)]

    def statuses(self) -> Mapping[SiteKey, SiteStatus]:
        """How each site stood at the last look, with the alerts that were decided since."""
        return {key: found for outlook in self._told for key, found in outlook.statuses().items()}

    def missing(self) -> int:
        """How many checks of the windows that were reported last are known by summaries only."""
        return sum(outlook.missing for outlook in self._told)

    def _look(self, readers: Readers) -> Sequence[tuple["Outlook", Reader]]:
        """What was seen so far from each of these locations; from now on they are the ones that are told of."""
        for location in readers:
            self._known.setdefault(location, Outlook(self._sites, location))
        self._told = [self._known[location] for location in readers]
        return list(zip(self._told, readers.values(), strict=True))

    def _joined(self, reports: Sequence[StatsReport]) -> StatsReport:
        """Reports from several locations as one; of each site only those that have seen it lately."""
        if len(reports) == 1:
            return reports[0]
        rows: list[SiteRow] = []
        for seen in zip(*(report.rows for report in reports), strict=True):
            recent = [row for row, outlook in zip(seen, self._told, strict=True) if outlook.has_seen(row)]
            rows += recent or [replace(seen[0], location="")]
        return replace(reports[0], rows=tuple(rows))


class Outlook:
    """What is seen from one location."""

    def __init__(self, sites: Sequence[Site], location: str) -> None:
        self._sites = tuple(sites)
        self._location = location
        self._log = AlertLog(location)
        self._histories: Mapping[str, History] = {}
        self._at_ms = 0
        self.missing = 0
        """How many checks of the windows that were reported last are known by summaries only."""

    def watch(self, sites: Sequence[Site]) -> None:
        self._sites = tuple(sites)

    def new_alerts(self, reader: Reader, until_ms: int | None) -> Sequence[Alert]:
        window = self._log.window()
        found = self._log.take(reader.alerts(Window(window.from_ms, until_ms or window.until_ms)))
        hosts = self._hosts()
        return [alert for alert in found if alert.host in hosts]

    def ongoing(self) -> Sequence[Alert]:
        return self._log.ongoing(self._hosts())

    def reports(self, reader: Reader, windows_ms: Sequence[int], until_ms: int) -> Sequence[StatsReport]:
        windows = [from_whole_hour(Window.before(until_ms, length_ms)) for length_ms in windows_ms]
        found = [reader.stats(window, exact=may_be_exact(window, len(self._sites))) for window in windows]
        self.missing = max((reader.missing(window) for window in windows), default=0)
        self._histories, self._at_ms = reader.last_states(until_ms), until_ms
        return [
            stats_report(window, reader.kind, stats, self._sites, self._status_then, length_ms, self._location)
            for window, stats, length_ms in zip(windows, found, windows_ms, strict=True)
        ]

    def statuses(self) -> Mapping[SiteKey, SiteStatus]:
        histories, log = self._histories, self._log
        return {
            (site.host, self._location): status(histories.get(site.host), site, log.last(site.host), self._at_ms)
            for site in self._sites
        }

    def has_seen(self, row: SiteRow) -> bool:
        """Has this site been checked from here, in the window or not long ago?"""
        history = self._histories.get(row.host)
        return row.stats.checks > 0 or (history is not None and self._at_ms - history.last_ms < SEEN_MS)

    def _status_then(self, site: Site, at_ms: int) -> SiteStatus:
        return status(self._histories.get(site.host), site, self._log.last(site.host, at_ms), at_ms)

    def _hosts(self) -> set[str]:
        return {site.host for site in self._sites}
