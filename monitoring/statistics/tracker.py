"""Where every site stands, kept up to date by the checks as they are made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitoring.models import Alert, CheckResult, History, Site, SiteStatus
from monitoring.statistics.status import advance, status


@dataclass(slots=True)
class Totals:
    """What one run saw of a site."""

    checks: int = 0
    covered_ms: int = 0
    available_ms: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """What a starting monitor takes over from the runs before it."""

    last_alerts: Mapping[str, Alert] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    recent_alerts: Sequence[Alert] = ()


class Board:
    """Each site's history and totals. Every site is written by its own checker only, so that no lock is needed."""

    def __init__(self, sites: Iterable[Site], histories: Mapping[str, History]) -> None:
        self.histories = dict(histories)
        self.totals: dict[str, Totals] = {}
        self.watch(sites)

    def watch(self, sites: Iterable[Site]) -> None:
        """Be ready for the checks of these sites; what is known of others stays."""
        for site in sites:
            self.totals.setdefault(site.host, Totals())

    def observe(self, result: CheckResult) -> None:
        """Take note of one more check."""
        self.histories[result.host] = advance(self.histories.get(result.host), result)
        totals = self.totals[result.host]
        totals.checks += 1
        totals.covered_ms += result.covers_ms
        totals.available_ms += result.covers_ms if result.available else 0

    def status(self, site: Site, last_alert: Alert | None, now_ms: int) -> SiteStatus:
        return status(self.histories.get(site.host), site, last_alert, now_ms)
