"""What a reader tells of the sites of a configuration: statistics, where each site stands, alerts."""

from collections.abc import Mapping, Sequence

from monitoring.alertlog import AlertLog
from monitoring.models import Alert, History, Site, SiteStats, SiteStatus, Window
from monitoring.report import StatsReport
from monitoring.rounds import stats_report
from monitoring.states import status
from monitoring.stats import from_whole_hour
from monitoring.store.base import Reader
from monitoring.store.standing import Standing


class Survey:
    """Asks whatever reader it is given, and remembers what is worth keeping between two questions."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = tuple(sites)
        self._log = AlertLog()
        self._standing = Standing()
        self._histories: Mapping[str, History] = {}
        self._failed_ms: dict[str, int] = {}
        self._at_ms = 0

    def watch(self, sites: Sequence[Site]) -> None:
        """Tell of these sites from now on."""
        self._sites = tuple(sites)

    def new_alerts(self, reader: Reader, until_ms: int | None = None) -> Sequence[Alert]:
        """The transitions of these sites that were not told yet, oldest first; decided before `until_ms` if given."""
        window = self._log.window()
        found = self._log.take(reader.alerts(Window(window.from_ms, until_ms or window.until_ms)))
        hosts = self._hosts()
        return [alert for alert in found if alert.host in hosts]

    def ongoing(self) -> Sequence[Alert]:
        """The outages of these sites that are not over, oldest first."""
        return self._log.ongoing(self._hosts())

    def reports(self, reader: Reader, windows_ms: Sequence[int], until_ms: int) -> Sequence[StatsReport]:
        """The statistics of windows of these lengths, and the states by what was checked before `until_ms`."""
        windows = [from_whole_hour(Window.before(until_ms, length_ms)) for length_ms in windows_ms]
        found = [reader.stats(window) for window in windows]
        for stats in found:
            self._note_failures(stats)
        self._histories = self._standing.at(reader, self._sites, until_ms, self._failed_ms)
        self._at_ms = until_ms
        return [
            stats_report(window, reader.kind, stats, self._sites, self._status_then, length_ms)
            for window, stats, length_ms in zip(windows, found, windows_ms, strict=True)
        ]

    def statuses(self) -> Mapping[str, SiteStatus]:
        """How each site stood at the last look, with the alerts that were decided since."""
        histories, log = self._histories, self._log
        return {site.host: status(histories.get(site.host), site, log.last(site.host), self._at_ms) for site in self._sites}

    def _status_then(self, site: Site, at_ms: int) -> SiteStatus:
        return status(self._histories.get(site.host), site, self._log.last(site.host, at_ms), at_ms)

    def _note_failures(self, found: Mapping[str, SiteStats]) -> None:
        for host, stats in found.items():
            if stats.last_failure_ms is not None:
                self._failed_ms[host] = max(stats.last_failure_ms, self._failed_ms.get(host, 0))

    def _hosts(self) -> set[str]:
        return {site.host for site in self._sites}
