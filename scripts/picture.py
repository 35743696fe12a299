"""Draws docs/screen.svg: the program's own screen, of four made-up sites, exported by rich. `make picture`

The checks of an hour go through the local file, the alert rule and the statistics as they do in a monitor. The clock and
the dice are fixed, so the same program draws the same picture.
"""

import io
import math
import random
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.theme import Theme

from monitoring.alerts.evaluator import Evaluator
from monitoring.alerts.rule import evaluate
from monitoring.display.drawing.screen import Look, draw_screen
from monitoring.display.drawing.theme import DARK
from monitoring.display.output.screen_output import KEYS_TEXT, LONG_MS, MONITORED_MS
from monitoring.display.view_model.values import Header, View, stats_report
from monitoring.models import Alert, Cause, CheckResult, Site, SiteStatus, Window
from monitoring.statistics.tracker import StatusTracker
from monitoring.storage.delivery.words import stored_text
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "screen.svg"
WIDTH, HEIGHT = 112, 14
START_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z
LENGTH_MS = 3_600_000
STEP_MS = 2_000
WINDOWS_MS = (*MONITORED_MS, *LONG_MS)

FONT_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Whoever looks at the picture shall not load anything from a third party."""

SITES = {
    Site("https://shop.example.org", "", name="shop"): 48_000,
    Site("https://api.example.org", "", name="api"): 16_000,
    Site("https://docs.example.org", "", name="docs"): 31_000,
    Site("https://status.example.org", "", name="status page"): 9_000,
}
"""With the response time that each of them mostly has, in microseconds."""


DETAILS = {
    Cause.TIMEOUT: "no answer within 10 s",
    Cause.STATUS: "status 503",
    Cause.CONNECT: "Connection refused",
}


def cause_of(name: str | None, minute: float) -> Cause | None:
    """What goes wrong in this hour, and when."""
    if name == "shop" and minute >= 56:
        return Cause.TIMEOUT
    if name == "docs" and 51.5 <= minute < 53:
        return Cause.STATUS
    return Cause.CONNECT if name == "docs" and 20 <= minute < 23 else None


def checks() -> Iterator[CheckResult]:
    """All checks of the hour, in order."""
    dice = random.Random(7)  # noqa: S311 - only to look like the real world
    for slot_ms in range(START_MS, START_MS + LENGTH_MS, STEP_MS):
        minute = (slot_ms - START_MS) / 60_000
        for place, (site, usual_us) in enumerate(SITES.items()):
            cause = cause_of(site.name, minute)
            load = 1 + 0.5 * math.sin(minute / 2 + place)
            took_us = None if cause else round(usual_us * load * dice.lognormvariate(0, 0.25))
            phases = (None,) * 5 if took_us is None else (40, 900, None, took_us - 1_040, 100)
            status = 503 if cause is Cause.STATUS else 0 if cause else 200
            detail = DETAILS[cause] if cause else ""
            yield CheckResult(site.host, slot_ms + place, site.interval_ms, 400, status, took_us, phases, cause, detail)


class Monitor:
    """What a monitor keeps while it runs, without threads. Keeps `AlertStore`."""

    def __init__(self, file: LocalStore) -> None:
        self.file, self.clock = file, FakeClock(START_MS)
        self.tracker = StatusTracker(SITES, {})
        self.evaluator = Evaluator(self, self.clock, {}, self.tracker.last_states, evaluate)
        self.alerts: list[Alert] = []

    def commit(self) -> None: ...

    def own_reader(self) -> LocalStore:
        return self.file

    def record(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def run(self) -> None:
        """Live through the hour: each slot of the sites, then the rule, which sees nothing of the time to come."""
        found = list(checks())
        self.file.append(found, (), START_MS)
        for place in range(0, len(found), len(SITES)):
            for check in found[place : place + len(SITES)]:
                self.tracker.observe(check)
            self.clock.advance(STEP_MS / 1_000)
            observed = self.evaluator.observe(list(SITES))
            changed = {site: change for site in SITES if (change := self.evaluator.decide(site, observed).change)}
            self.evaluator.record(changed, observed)

    def view(self) -> View:
        now_ms = self.clock.now_ms()
        observed, sites = self.evaluator.observe(list(SITES)), list(SITES)

        def status(site: Site, at_ms: int) -> SiteStatus:
            found = self.tracker.status(site, self.evaluator.last_alert(site.host), at_ms)
            return replace(found, downtime=observed.of(site))

        windows = [Window.before(now_ms, length_ms) for length_ms in WINDOWS_MS]
        found = [(window, self.file.stats(window, exact=window.length_ms <= LENGTH_MS)) for window in windows]
        reports = [stats_report(window, "local", stats, sites, status) for window, stats in found]
        header = Header(len(SITES), "local", stored_text("config.db"))
        return View(header, now_ms, reports, tuple(self.alerts), tuple(self.evaluator.open_outages(SITES)))


def draw() -> str:
    """The picture, as SVG."""
    screen = io.StringIO()
    console = Console(file=screen, record=True, width=WIDTH, highlight=False, force_terminal=True, theme=Theme(DARK))
    with tempfile.TemporaryDirectory() as directory, closing(LocalStore(Path(directory) / "config.db")) as file:
        monitor = Monitor(file)
        monitor.run()
        for line in draw_screen(monitor.view(), Look(), WINDOWS_MS, WIDTH, HEIGHT, Text(KEYS_TEXT, "weak")).lines:
            console.print(line)
    picture = console.export_svg(title="./monitoringApp.py -m", unique_id="screen")
    return FONT_FROM_ELSEWHERE.sub("", picture)


if __name__ == "__main__":
    PICTURE.write_text(draw())
