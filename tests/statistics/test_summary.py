"""Summaries that are added up give the numbers that the pure functions find over the checks."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.models import CheckResult, SiteStats, Window
from monitoring.statistics import reference, windows
from monitoring.statistics.spans import plan
from monitoring.statistics.summary import Span, Summary, merge, site_stats
from tests.support.results import LONG_SPAN_MS, SPAN_MS, START_MS, Recording, recordings

every_recording = recordings() | recordings(LONG_SPAN_MS)
some = settings(max_examples=150, deadline=None)


def parts_of(checks: list[CheckResult], window: Window, until_ms: int, *, exact: bool) -> list[tuple[int, Summary]]:
    """What a reader adds up: a summary of each span of the plan, and one of each check that it leaves open."""
    planned = plan(window, until_ms, exact=exact)
    found: list[tuple[int, Summary]] = []
    for span, part in planned.summaries():
        inside = [check for check in checks if part.from_ms <= check.time_ms < part.until_ms]
        by_start: defaultdict[int, list[CheckResult]] = defaultdict(list)
        for check in inside:
            by_start[span.start_of(check.time_ms)].append(check)
        summaries = {start: Summary.of(own) for start, own in by_start.items()}
        if span is not Span.MINUTE:
            summaries = {start: summary.with_sketch() for start, summary in summaries.items()}
        found += summaries.items()
    for part in planned.checks:
        found += [(check.time_ms, Summary.of([check])) for check in checks if part.from_ms <= check.time_ms < part.until_ms]
    return found


def added_up(host: str, parts: list[tuple[int, Summary]], window: Window, *, exact: bool) -> SiteStats:
    width = windows.bucket_width_ms(window, exact=exact)
    marks: dict[int, list[Summary]] = {number: [] for number in windows.bucket_range(window, exact=exact)}
    for start_ms, summary in parts:
        marks[start_ms // width].append(summary)
    trend = [merge(own, exact=exact).mark() for own in marks.values()]
    return site_stats(host, merge([summary for _, summary in parts], exact=exact), trend)


@given(recording=every_recording, exact=st.booleans(), behind_ms=st.integers(-SPAN_MS, LONG_SPAN_MS))
@some
def test_a_window_adds_up_from_days_hours_minutes_and_checks(recording: Recording, exact: bool, behind_ms: int) -> None:
    window, until_ms = recording.window, Span.MINUTE.start_of(START_MS + behind_ms)
    expected = reference.summarise(recording.checks, window, exact=exact)
    found = {}
    for host in {check.host for check in recording.checks}:
        parts = parts_of([check for check in recording.checks if check.host == host], window, until_ms, exact=exact)
        if parts:
            found[host] = added_up(host, parts, window, exact=exact)
    assert found == expected


@given(recording=every_recording, exact=st.booleans(), until_ms=st.integers(START_MS - SPAN_MS, START_MS + 2 * LONG_SPAN_MS))
def test_the_parts_of_a_plan_cover_the_window_once(recording: Recording, exact: bool, until_ms: int) -> None:
    until_ms = Span.MINUTE.start_of(until_ms)
    planned = plan(recording.window, until_ms, exact=exact)
    parts = sorted([*(part for _, part in planned.summaries()), *planned.checks], key=lambda part: part.from_ms)
    assert parts[0].from_ms == recording.window.from_ms
    assert parts[-1].until_ms == recording.window.until_ms
    assert all(one.until_ms == other.from_ms for one, other in pairwise(parts))
    assert all(part.until_ms <= until_ms for _, part in planned.summaries())


@pytest.mark.parametrize(
    ("length_ms", "sites", "exact", "marks", "width_ms"),
    [
        (600_000, 1_000, True, 10, 60_000),
        (3_600_000, 1_000, True, 20, 180_000),
        (86_400_000, 100, True, 20, 72 * 60_000),
        (86_400_000, 101, False, 12, 2 * 3_600_000),
        (30 * 86_400_000, 4, False, 15, 2 * 86_400_000),
    ],
)
def test_marks_and_precision_of_usual_windows(length_ms: int, sites: int, exact: bool, marks: int, width_ms: int) -> None:
    window = Window(0, length_ms)
    assert windows.may_be_exact(window, sites) is exact
    assert windows.bucket_width_ms(window, exact=exact) == width_ms
    assert len(windows.bucket_range(window, exact=exact)) == marks
