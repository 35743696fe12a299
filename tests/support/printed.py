"""What `-p` and `-m` print, and what they must print, reckoned from the stored checks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from monitoring.config.parsing.durations import moment_ms
from monitoring.display.text.jsonlines import stats_json
from monitoring.display.view_model.values import SiteRow, StatsReport
from monitoring.models import Alert, AlertType, Cause, CheckResult, SiteStats, SiteStatus, Window
from monitoring.shell import SCRIPT
from monitoring.statistics.reference import summarise
from monitoring.statistics.windows import may_be_exact
from tests.support.monitor import Monitor

NO_MONITOR = "no monitor has run here yet: start ./monitoringApp.py -m"


STATES = ("state", "since", "lastFailure", "detail", "name", "URL")


def no_monitor(config: Path) -> str:
    """What the program says that a test has started with this configuration."""
    return f"no monitor has run here yet: start {SCRIPT} -m -c {config}"


def numbers(site: Mapping[str, Any]) -> dict[str, Any]:
    """What comes from the window alone."""
    return {key: value for key, value in site.items() if key not in STATES}


def reference(checks: list[CheckResult], printed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The numbers of a printed window, reckoned from the stored checks."""
    window = Window(moment_ms(printed["from"]), moment_ms(printed["until"]))
    found = summarise(checks, window, exact=may_be_exact(window, 2))
    rows = [
        SiteRow(site["URL"], None, found.get(site["URL"]) or SiteStats(site["URL"]), SiteStatus())
        for site in printed["sites"]
    ]
    return [numbers(site) for site in json.loads(stats_json(StatsReport(window, "", tuple(rows))))["sites"]]


def same(one: object, other: object) -> bool:
    """Equal; means, which are sums of fractions, as nearly as floating point can tell."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == (pytest.approx(other, rel=1e-9) if isinstance(other, float) else other)


def assert_right(checks: list[CheckResult], printed: list[dict[str, Any]]) -> None:
    assert printed
    for window in printed:
        assert same([numbers(site) for site in window["sites"]], reference(checks, window)), window["window"]


def windows(program: Monitor) -> list[dict[str, Any]]:
    """The windows that it has printed in which anything was measured."""
    return [found for found in program.objects("stats") if any(site["checks"] for site in found["sites"])]


def hour(host: str, start_ms: int, down: range) -> list[CheckResult]:
    """A check every 10 s for an hour; those with these numbers fail."""
    return [
        CheckResult(
            host, start_ms + 10_000 * number, 10_000, 0, 503 if number in down else 200, 1_000 + number,
            cause=Cause.STATUS if number in down else None,
        )
        for number in range(360)
    ]  # fmt: skip


STORY_MS = 1_767_265_200_000
"""2026-01-01 11:00 UTC."""


def story() -> tuple[list[CheckResult], list[Alert]]:
    """An hour of two sites; the second one is down from 11:20:00 until 11:40:00."""
    down_ms, up_ms = STORY_MS + 1_200_000, STORY_MS + 2_400_000
    opened = Alert(AlertType.ALERT, "http://second.example", down_ms + 34_000, down_ms, None, 75.0, Cause.STATUS)
    over = Alert(AlertType.RECOVERY, "http://second.example", up_ms + 96_000, down_ms, up_ms, 80.0, Cause.STATUS)
    checks = [*hour("http://first.example", STORY_MS, range(0)), *hour("http://second.example", STORY_MS, range(120, 240))]
    return sorted(checks, key=lambda check: check.time_ms), [opened, over]


def of_day(text: str | None) -> str | None:
    return text and f"2026-01-01T{text}.000Z"
