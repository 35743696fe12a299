"""What bars and charts draw of the days and marks that they are given."""

import re
from dataclasses import replace

import pytest

from monitoring.display.view_model.series import Mark
from monitoring.models import Cause
from monitoring.units import DAY_MS, MINUTE_MS
from monitoring.web.drawing import HEIGHT, days_svg, days_text, series_svg

WHOLE = Mark(0, DAY_MS, 43_200, DAY_MS, DAY_MS)

DAYS = {
    "up": (WHOLE, {"up": HEIGHT}),
    "not measured": (Mark(0, DAY_MS), {"unknown": HEIGHT}),
    "half measured": (replace(WHOLE, covered_ms=DAY_MS // 2, available_ms=DAY_MS // 2), {"unknown": 10, "up": 10}),
    "hardly measured": (replace(WHOLE, covered_ms=2_000, available_ms=2_000), {"unknown": 18, "up": 2}),
    "a short outage": (replace(WHOLE, available_ms=DAY_MS - 2_000), {"down": 7, "up": 13}),
    "down all day": (replace(WHOLE, available_ms=0), {"down": HEIGHT}),
    "hardly measured, and down": (replace(WHOLE, covered_ms=2_000, available_ms=0), {"unknown": 13, "down": 7}),
    "a quarter down, a half not measured": (
        replace(WHOLE, covered_ms=DAY_MS // 2, available_ms=DAY_MS // 4),
        {"unknown": 10, "down": 7, "up": 3},
    ),
    "so far": (Mark(0, 6 * MINUTE_MS, 180, 6 * MINUTE_MS, 6 * MINUTE_MS), {"up": HEIGHT}),
}


@pytest.mark.parametrize("name", DAYS)
def test_a_day_is_parted_into_up_down_and_unknown(name: str) -> None:
    day, parts = DAYS[name]
    drawn = days_svg([day])
    found = {}
    for kind, path in re.findall(r'<path class="(\w+)" d="([^"]+)"/>', drawn):
        begin, length, end = re.fullmatch(r"M0 (\d+)h1(?:v(\d+)|V(\d+))h-1z", path).groups()  # type: ignore[union-attr]
        found[kind] = int(length) if length else int(end) - int(begin)
    assert found == parts
    assert sum(found.values()) == HEIGHT


def test_days_alike_are_drawn_at_once() -> None:
    assert days_svg([WHOLE] * 90).count("<path") == 1
    assert (
        days_text([WHOLE] * 88 + [DAYS["a short outage"][0], Mark(0, DAY_MS)]) == "90 days: 1 with downtime, 1 not measured"
    )


def test_a_chart_has_a_step_for_each_mark_and_failures_by_cause_below() -> None:
    good = Mark(0, MINUTE_MS, 30, MINUTE_MS, MINUTE_MS, 50_000, 100_000)
    failed = replace(good, available_ms=0, p50_us=None, p95_us=None, causes={Cause.TIMEOUT: 20, Cause.DNS: 10})
    drawn = series_svg([good, failed, Mark(0, MINUTE_MS)], "<label>")
    assert 'aria-label="&lt;label&gt;"' in drawn
    assert '<path class="p95" d="M0.0 0.0h200.0"/>' in drawn
    assert '<path class="p50" d="M0.0 60.0h200.0"/>' in drawn
    assert '<path class="cause timeout" d="M200.0 123.0h200.0v16.0h-200.0z"/>' in drawn
    assert '<path class="cause dns" d="M200.0 139.0h200.0v8.0h-200.0z"/>' in drawn
    assert '<path class="unknown" d="M400.0 0h200.0v120h-200.0z"/>' in drawn
