"""Strips of time: what was measured, what failed, and what nobody knows."""

import pytest

from monitoring.display.drawing.chart import mark_legend, time_strip
from monitoring.display.view_model.series import Mark
from monitoring.models import Cause
from monitoring.units import HOUR_MS, MINUTE_MS


def hours(*measured_minutes: int, last_minutes: int = 60) -> list[Mark]:
    """Hours of which so many minutes were measured; the last one has lasted so long."""
    lengths = [HOUR_MS] * (len(measured_minutes) - 1) + [last_minutes * MINUTE_MS]
    return [
        Mark(place * HOUR_MS, length_ms, 30 * minutes, minutes * MINUTE_MS, minutes * MINUTE_MS)
        for place, (minutes, length_ms) in enumerate(zip(measured_minutes, lengths, strict=True))
    ]


@pytest.mark.parametrize(
    ("marks", "strip"),
    [
        (hours(60, 60, 60), "▁▁▁▁▁▁▁▁▁▁▁▁"),
        (hours(0, 0, 0), "············"),
        (hours(0, 0, 1), "···········▁"),  # seconds are one cell, not an hour, and the newest: a monitor has just begun
        (hours(0, 0, 5, last_minutes=50), "··········▁"),
        (hours(0, 15, 60), "·······▁▁▁▁▁"),  # begun in the middle of an hour: what follows is known
        (hours(60, 15, 0), "▁▁▁▁▁·······"),  # ended in the middle of one
        (hours(60, 30, 60), "▁▁▁▁▁▁··▁▁▁▁"),
        (hours(60, 60, 15, last_minutes=15), "▁▁▁▁▁▁▁▁▁"),  # what is yet to come is not drawn
        (hours(60, 60, 1, last_minutes=1), "▁▁▁▁▁▁▁▁▁"),
        ([], ""),
    ],
)
def test_a_strip_shows_no_more_than_was_measured(marks: list[Mark], strip: str) -> None:
    assert time_strip(marks, 12).plain == strip


def test_failures_are_shown_by_cause_however_few() -> None:
    known = hours(60, 60, 1)
    failed = [
        Mark(0, HOUR_MS, 1_800, HOUR_MS, HOUR_MS - 2_000, causes={Cause.TIMEOUT: 1}),
        known[1],
        Mark(2 * HOUR_MS, HOUR_MS, 30, MINUTE_MS, 0, causes={Cause.STATUS: 20, Cause.TLS: 10}),
    ]
    assert time_strip(failed, 12).plain == "tttt▁▁▁▁S···"
    assert mark_legend(failed) == "T timeout  S status"


def test_maintenance_is_neither_up_nor_down() -> None:
    maintained = Mark(0, HOUR_MS, 1_800, HOUR_MS, 0, maintenance_ms=HOUR_MS)
    assert time_strip([maintained, *hours(60, 60)], 12).plain == "····▁▁▁▁▁▁▁▁"
