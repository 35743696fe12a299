"""A status page with a past: every number of it follows from the same outages, as it does where a monitor has run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sin, tau

from monitoring.display.view_model.overview import DAYS
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteKey, SiteRow, StatsReport
from monitoring.models import Alert, AlertType, Cause, CheckResult, ResponseTimes, Site, SiteStats, SiteStatus, State, Window
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.support.page import MARKS, NOW_MS, Shown

INTERVAL_MS = 2_000
STATUS = 503
ALERT_AFTER_MS = 26_000
RECOVERY_AFTER_MS = 108_000


@dataclass(frozen=True)
class Outage:
    """Every check from `start_ms` to `end_ms` fails by this cause."""

    start_ms: int
    end_ms: int
    cause: Cause
    detail: str


@dataclass(frozen=True)
class Past:
    """What became of one site, measured since `begun_ms`; `p50_us` is its response time on an average day."""

    begun_ms: int
    p50_us: int
    outages: Sequence[Outage] = field(default=())

    def lost(self, from_ms: int, until_ms: int) -> Iterator[tuple[Outage, int]]:
        """The outages of this time, with how much of it each took."""
        for outage in self.outages:
            lost_ms = min(outage.end_ms, until_ms) - max(outage.start_ms, from_ms)
            if lost_ms > 0:
                yield outage, lost_ms

    def mark(self, start_ms: int, until_ms: int) -> Mark:
        """What was measured from one time to the other."""
        covered_ms = max(0, until_ms - max(start_ms, self.begun_ms))
        causes: dict[Cause, int] = {}
        for outage, lost_ms in self.lost(start_ms, until_ms):
            causes[outage.cause] = causes.get(outage.cause, 0) + lost_ms // INTERVAL_MS
        available_ms = covered_ms - sum(lost_ms for _, lost_ms in self.lost(start_ms, until_ms))
        p50_us = self._p50_us(start_ms, until_ms) if available_ms else None
        p95_us = p50_us and 2.2 * p50_us
        checks = covered_ms // INTERVAL_MS
        return Mark(start_ms, until_ms - start_ms, checks, covered_ms, available_ms, p50_us, p95_us, causes)

    def _p50_us(self, start_ms: int, until_ms: int) -> float:
        """It is slower by day than by night; what a minute adds is always the same for that minute."""
        of_the_day = 0.15 * sin(tau * (start_ms % DAY_MS) / DAY_MS - tau / 4) if until_ms - start_ms <= HOUR_MS else 0
        jitter = sin(start_ms // MINUTE_MS * 12.9898) * 43_758.5453 % 1 - 0.5
        return self.p50_us * (1 + of_the_day + 0.16 * jitter)


class Remembered(Shown):
    """Sites with a past: states, records, days, charts and the statistics of every window are made from it."""

    def __init__(self, sites: Sequence[Site], pasts: Sequence[Past]) -> None:
        super().__init__(sites)
        self.pasts: Mapping[str, Past] = {site.host: past for site, past in zip(sites, pasts, strict=True)}
        for site in sites:
            self._remember(site.host)

    def _remember(self, host: str) -> None:
        past = self.pasts[host]
        for outage in past.outages:
            self.alerts += _records(host, outage)
        last = past.outages[-1] if past.outages else None
        if last is None or last.end_ms + RECOVERY_AFTER_MS < NOW_MS:
            since_ms = last.end_ms if last else past.begun_ms
            self.states[host] = SiteStatus(
                State.UP, since_ms, last.end_ms - INTERVAL_MS if last else None, "", 1_790_000_000
            )
        elif last.end_ms < NOW_MS:
            self.states[host] = SiteStatus(State.RECOVERING, last.end_ms, last.end_ms - INTERVAL_MS, last.detail)
        else:
            self.states[host] = SiteStatus(State.DOWN, last.start_ms, NOW_MS - INTERVAL_MS, last.detail)
            self.checks += [
                CheckResult(host, NOW_MS - at * INTERVAL_MS, INTERVAL_MS, 100, cause=last.cause, detail=last.detail)
                for at in range(10, 0, -1)
            ]

    def _series(self, key: SiteKey, window: str) -> Sequence[Mark]:
        length_ms, count = MARKS[window]
        first_ms = (NOW_MS // length_ms - count) * length_ms
        starts = range(first_ms, first_ms + count * length_ms, length_ms)
        return [self.pasts[key[0]].mark(start_ms, start_ms + length_ms) for start_ms in starts]

    def days(self, host: str) -> Sequence[Mark]:
        starts = range((NOW_MS // DAY_MS - DAYS + 1) * DAY_MS, NOW_MS, DAY_MS)
        return [self.pasts[host].mark(start_ms, min(start_ms + DAY_MS, NOW_MS)) for start_ms in starts]

    def publish(self, days: Mapping[SiteKey, Sequence[Mark]] | None = None) -> None:
        super().publish(days or {(host, ""): self.days(host) for host in self.pasts})

    def report(self, length_ms: int, now_ms: int) -> StatsReport:
        window = Window.before(now_ms, length_ms)
        rows = []
        for site in self.sites:
            stats = _stats(site.host, self.pasts[site.host], window)
            rows.append(
                SiteRow(site.host, site.name, stats, self.status_of(site), "", site.group, site.tags, now_ms - 1_000)
            )
        return StatsReport(window, "local", tuple(rows), length_ms)


def _records(host: str, outage: Outage) -> Sequence[Alert]:
    """The alert of an outage, and its recovery where there was time for one."""
    start_ms, cause, detail = outage.start_ms, outage.cause, outage.detail
    begun = Alert(AlertType.ALERT, host, start_ms + ALERT_AFTER_MS, start_ms, None, 78.3, cause, detail=detail)
    recovered_ms = outage.end_ms + RECOVERY_AFTER_MS
    if recovered_ms >= NOW_MS:
        return [begun]
    return [begun, Alert(AlertType.RECOVERY, host, recovered_ms, start_ms, outage.end_ms, 90.0, cause, detail=detail)]


def _stats(host: str, past: Past, window: Window) -> SiteStats:
    mark = past.mark(window.from_ms, window.until_ms)
    good, p50_us = mark.checks - mark.failures, past.p50_us
    times = ResponseTimes(1.1 * p50_us, p50_us // 2, 9 * p50_us, p50_us, 22 * p50_us // 10, 5 * p50_us)
    statuses = {200: good, STATUS: mark.causes.get(Cause.STATUS, 0)}
    shares = {"resolve": 0.02, "connect": 0.19, "tls": 0.39, "processing": 0.35, "transfer": 0.05}
    return SiteStats(
        host,
        mark.checks,
        good,
        mark.covered_ms,
        mark.available_ms,
        times if good else None,
        {phase: share * 1.1 * p50_us for phase, share in shares.items()} if good else {},
        {status: count for status, count in statuses.items() if count},
        mark.causes,
    )
