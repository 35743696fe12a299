"""The status page without a store: a board that shows what the test says, and its server in this process."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from monitoring.clock import Clock
from monitoring.config import Config
from monitoring.config.parsing.durations import Month
from monitoring.config.tokens import Tokens
from monitoring.display.view_model.incidents import incidents
from monitoring.display.view_model.months import MonthReport, month_report
from monitoring.display.view_model.overview import DAYS
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import Header, SiteKey, SiteRow, StatsReport, unmeasured
from monitoring.errors import ConfigError, StoreError
from monitoring.models import (
    Alert,
    AlertType,
    Bucket,
    Cause,
    CheckResult,
    ResponseTimes,
    Site,
    SiteStats,
    SiteStatus,
    State,
    Window,
)
from monitoring.storage.base import Reader
from monitoring.storage.delivery.words import Condition, Source
from monitoring.storage.notifications import Entry
from monitoring.storage.routing import Readers
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS
from monitoring.web.application import LOOPBACK_NAMES, make_application
from monitoring.web.board import Board, Questions
from monitoring.web.serve import LIMITS
from tests.support.clock import FakeClock
from tests.support.gateway import HOST, NO_TOKENS, running

NOW_MS = 1_780_000_000_000
LENGTHS_MS = (10 * MINUTE_MS, HOUR_MS, DAY_MS, 30 * DAY_MS, 90 * DAY_MS)

HOSTILE = (
    "<script>document.title='owned'</script>",
    "</title><img src=x onerror=alert(1)>",
    "\u202egnp.exe\u202c \x1b[31mred\x07",
    "שלום עולם, the shop in Hebrew",
    "{{ 7 * 7 }} {% raw %} ${HOME} %s {0}",
    "averyveryverylongnamewithoutanyblankinit" * 4,
    "quote\" and 'quote' & <b>bold</b>\nsecond line",
    "🛰️ emoji ☃",
)


def sites_named(names: Sequence[str], group: Callable[[int], str | None] = lambda number: None) -> list[Site]:
    """A site for each name; their URLs differ by number."""
    return [
        Site(f"https://site-{number}.example.org/", f"https://site-{number}.example.org/", name, group=group(number))
        for number, name in enumerate(names)
    ]


def stats_of(host: str, length_ms: int, down: int = 0, response_us: int = 57_000) -> SiteStats:
    """A window of checks every two seconds, of which `down` percent failed."""
    checks = length_ms // 2_000
    failed = checks * down // 100
    times = ResponseTimes(
        response_us * 1.1, response_us // 2, response_us * 9, response_us, response_us * 3, response_us * 5
    )
    marks = [Bucket(response_us * (1 + place % 7 / 5), failures=int(bool(down) and place % 5 == 0)) for place in range(20)]
    return SiteStats(
        host,
        checks,
        checks - failed,
        covered_ms=checks * 2_000,
        available_ms=(checks - failed) * 2_000,
        response=times,
        phases_us={"resolve": 900.0, "connect": 11_000.0, "tls": 22_500.0, "processing": 20_000.0, "transfer": 2_600.0},
        statuses={200: checks - failed},
        causes={Cause.TIMEOUT: failed} if failed else {},
        trend=tuple(marks),
    )


def days_of(number: int) -> list[Mark]:
    """Three months: some days without measurement, some with downtime."""
    found = []
    for place in range(DAYS):
        covered_ms = 0 if place < 12 + number % 5 else DAY_MS
        lost_ms = 40 * MINUTE_MS if (place + number) % 23 == 0 else 0
        start_ms = (NOW_MS // DAY_MS - DAYS + 1 + place) * DAY_MS
        length_ms = min(DAY_MS, NOW_MS - start_ms)
        covered_ms = min(covered_ms, length_ms)
        found.append(Mark(start_ms, length_ms, covered_ms // 2_000, covered_ms, max(0, covered_ms - lost_ms)))
    return found


MARKS = {"10m": (MINUTE_MS, 10), "1h": (MINUTE_MS, 60), "24h": (HOUR_MS, 24), "30d": (DAY_MS, 30), "90d": (DAY_MS, 90)}


def marks_of(window: str, is_down: bool) -> list[Mark]:
    """A chart: some marks without measurement, and of a site that is down a third of the checks failed in the last ones."""
    length_ms, count = MARKS[window]
    checks, end_ms = length_ms // 2_000, NOW_MS // length_ms * length_ms
    found = []
    for place in range(count):
        start_ms = end_ms - (count - place) * length_ms
        if place in (2, 3):
            found.append(Mark(start_ms, length_ms))
            continue
        lost = checks // 3 if is_down and place > count * 3 // 4 else int(place == 5)
        causes = {Cause.TIMEOUT: lost - lost // 3, **({Cause.STATUS: lost // 3} if lost > 2 else {})} if lost else {}
        p50_us = 50_000 + 9_000 * (place % 7)
        good_ms = length_ms - 2_000 * lost
        found.append(Mark(start_ms, length_ms, checks, length_ms, good_ms, p50_us, 2.5 * p50_us + 800 * place, causes))
    return found


def outage(host: str, start_ms: int, end_ms: int | None, detail: str = "no answer within 5 s") -> list[Alert]:
    """The records of an outage; without an end it is open."""
    begun = Alert(AlertType.ALERT, host, start_ms + 26_000, start_ms, None, 78.3, Cause.TIMEOUT, detail=detail)
    if end_ms is None:
        return [begun]
    return [begun, Alert(AlertType.RECOVERY, host, end_ms + 90_000, start_ms, end_ms, 91.0, Cause.TIMEOUT, detail=detail)]


Asked = TypeVar("Asked")


class Shown:
    """What the store is said to hold: change it, then `publish`."""

    def __init__(self, sites: Sequence[Site], clock: Clock | None = None) -> None:
        self.sites = list(sites)
        self.clock = clock or FakeClock(NOW_MS)
        self.states: dict[str, SiteStatus] = {}
        self.alerts: list[Alert] = []
        self.checks: list[CheckResult] = []
        self.store_error: StoreError | None = None
        self.entries: Sequence[Entry] | None = ()
        why = ["<b>why</b> it is so", "  26.0 s of 120 s"]
        explain, deliveries = (lambda _: self._asked(why)), (lambda _: self._asked(self.entries))
        questions = Questions(self._last_checks, self._month, explain, deliveries, self._series)
        self.board = Board(self.clock, lambda _: None, questions)
        self.error: str | None = None
        self.last_check_ms: int | None = None
        self.has_data = True

    def _series(self, key: SiteKey, window: str) -> Sequence[Mark]:
        status = self.states.get(key[0])
        return (
            marks_of(window, status is not None and status.state in {State.DOWN, State.RECOVERING}) if self.has_data else ()
        )

    def _asked(self, answer: Asked) -> Asked:
        if self.store_error:
            raise self.store_error
        return answer

    def _last_checks(self, site: Site) -> Sequence[CheckResult]:
        return self._asked([it for it in self.checks if it.host == site.host])

    def _month(self, month: Month) -> MonthReport:
        if self.store_error:
            raise self.store_error
        if month.from_ms >= self.clock.now_ms():
            raise ConfigError(["this month has not begun"])
        until_ms = min(month.until_ms, self.clock.now_ms())
        report = self.report(until_ms - month.from_ms, until_ms)
        return month_report(
            month.name, report, incidents(self.alerts), unmeasured({row.key: row.status for row in report.rows})
        )

    def status_of(self, site: Site) -> SiteStatus:
        return self.states.get(site.host) or SiteStatus(State.UP, self.clock.now_ms() - HOUR_MS, None, "", 1_790_000_000)

    def publish(self, days: Mapping[SiteKey, Sequence[Mark]] | None = None) -> None:
        """`days`: known ones; None: they are made anew."""
        now_ms = self.clock.now_ms()
        board, sites = self.board, self.sites
        board.read_error(self.error)
        if self.has_data and not self.error:
            for length_ms in LENGTHS_MS:
                board.statistics(self.report(length_ms, now_ms))
        statuses: Mapping[SiteKey, SiteStatus] = {(site.host, ""): self.status_of(site) for site in sites}
        header = Header(len(sites), "local", "stored in config.db")
        board.refresh(header, now_ms, lambda: statuses, ())
        if days is None:
            days = {(site.host, ""): days_of(number) for number, site in enumerate(sites)} if self.has_data else {}
        board.publish(sites, list(self.alerts), days)

    def report(self, length_ms: int, now_ms: int) -> StatsReport:
        window = Window.before(now_ms, length_ms)
        rows = []
        for number, site in enumerate(self.sites):
            status = self.status_of(site)
            down = 40 if status.state in {State.DOWN, State.RECOVERING} else 0
            stats = stats_of(site.host, length_ms, down, 18_000 + 7_000 * (number % 11))
            last_ms = self.last_check_ms or now_ms - 1_000
            place = ("", site.group, site.tags, last_ms, site.address, site.rule, site.certificate_warning_ms)
            rows.append(SiteRow(site.host, site.name, stats, status, *place))
        return StatsReport(window, "local", tuple(rows), length_ms)


class OnlyStore:
    """Keeps `Choice`: this store and no other; what it tells of notifications is `entries`."""

    name = ""

    def __init__(self, store: Reader, entries: Sequence[Entry] = ()) -> None:
        self.store = store
        self.entries = entries

    def choose(self) -> tuple[Readers, Source]:
        return {"": self.store}, Source(self.store.kind, "there is no other one")

    def distrust(self, error: StoreError) -> None: ...

    def follow(self, config: Config) -> None: ...

    def conditions(self) -> Sequence[Condition]:
        return ()

    def deliveries(self, window: Window) -> Sequence[Entry]:
        return [it for it in self.entries if window.from_ms <= it.time_ms < window.until_ms]

    def close(self) -> None: ...


@contextmanager
def serving_page(shown: Shown, tokens: Tokens = NO_TOKENS) -> Iterator[str]:
    """The page's server in a thread of this process; yields its address."""
    names = None if tokens.required else frozenset(LOOPBACK_NAMES)
    limits = replace(LIMITS, requests_per_s=10_000, burst=10_000)
    application = make_application(shown.board, tokens, limits, shown.clock, names)
    with socket.create_server((HOST, 0)) as listening, running(application, listening, limits):
        yield f"http://{HOST}:{listening.getsockname()[1]}/"
