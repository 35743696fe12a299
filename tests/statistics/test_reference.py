"""The numbers people read, recomputed in the plainest way."""

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.models import Bucket, Cause, CheckResult, Downtime, Failure, ResponseTimes, SiteStats, Window
from monitoring.statistics import percentiles, reference, windows
from tests.support.results import Recording, recordings

fewer = settings(max_examples=40, deadline=None)  # whole histories take their time on a busy machine


def check(at_ms: int, cause: Cause | None = None, *, covers_ms: int = 2_000, response_us: int | None = 1_000) -> CheckResult:
    return CheckResult("a", at_ms, covers_ms, 0, 0 if response_us is None else 200, response_us, cause=cause)


@given(values=st.lists(st.integers(0, 10**9), min_size=1, max_size=300), percent=st.integers(0, 100))
def test_a_percentile_is_the_nearest_rank(values: list[int], percent: int) -> None:
    """0-based index floor(n*p/100 + 0.5) - 1, clamped: what InfluxQL picks."""
    ordered = sorted(values)
    index = math.floor(Fraction(len(values) * percent, 100) + Fraction(1, 2)) - 1
    assert percentiles.percentile(ordered, percent) == ordered[sorted((0, index, len(values) - 1))[1]]


@pytest.mark.parametrize(
    ("count", "p50", "p95", "p99"),
    [(1, 1, 1, 1), (2, 1, 2, 2), (3, 2, 3, 3), (10, 5, 10, 10), (20, 10, 19, 20), (100, 50, 95, 99)],
)
def test_percentiles_of_1_to_n(count: int, p50: int, p95: int, p99: int) -> None:
    ordered = range(1, count + 1)
    assert [percentiles.percentile(ordered, percent) for percent in (50, 95, 99)] == [p50, p95, p99]


def test_availability_is_weighted_by_time() -> None:
    """Three good checks of 2 s, one that hung for 12 s: 6 of 18 s, not 3 of 4 checks."""
    checks = [check(0), check(2_000), check(4_000), check(6_000, Cause.TIMEOUT, covers_ms=12_000, response_us=None)]
    site = reference.summarise(checks, Window(0, 18_000), exact=True)["a"]
    assert (site.checks, site.available, site.covered_ms, site.available_ms) == (4, 3, 18_000, 6_000)
    assert windows.availability(site.available_ms, site.covered_ms) == Fraction(100, 3)
    assert reference.downtime(checks, Window(0, 18_000)) == {"a": Downtime(4, 1, 18_000, 12_000)}


def test_what_was_not_measured_is_unknown_and_not_zero() -> None:
    assert windows.availability(0, 0) is None
    assert reference.summarise([], Window(0, 1), exact=True) == {}
    assert reference.downtime([], Window(0, 1)) == {}
    failed = reference.summarise([check(0, Cause.DNS, response_us=None)], Window(0, 1), exact=True)["a"]
    assert failed.response is None
    assert not failed.phases_us
    assert not failed.statuses


def test_coverage_is_part_of_the_window_and_never_more_than_all() -> None:
    assert windows.coverage(0, 600_000) == 0
    assert windows.coverage(90_000, 120_000) == 75
    assert windows.coverage(130_000, 120_000) == 100


def test_only_available_checks_enter_response_times() -> None:
    """A fast error page or a time-out says nothing of how fast a site answers."""
    checks = [check(0, response_us=10), check(1, response_us=30), check(2, Cause.STATUS, response_us=1)]
    site = reference.summarise(checks, Window(0, 10), exact=True)["a"]
    assert site.response == ResponseTimes(20.0, 10, 30, 10, 30, 30)
    assert site.statuses == {200: 3}
    assert site.causes == {Cause.STATUS: 1}
    assert site.last_failure_ms == 2


def test_a_window_is_half_open() -> None:
    checks = [check(at_ms, Cause.DNS) for at_ms in (9, 10, 19, 20)]
    window = Window.before(20, 10)
    assert reference.downtime(checks, window)["a"].checks == 2
    assert reference.failures(checks, window, ["a"]) == {"a": [Failure(at_ms, 2_000, Cause.DNS) for at_ms in (10, 19)]}


@fewer
@given(recording=recordings(), cut=st.integers(0, 100))
def test_neighbouring_windows_share_no_check_and_lose_none(recording: Recording, cut: int) -> None:
    whole = recording.window
    middle = whole.from_ms + whole.length_ms * cut // 100
    parts = [
        Counter({host: site.checks for host, site in reference.summarise(recording.checks, part, exact=True).items()})
        for part in (Window(whole.from_ms, middle), Window(middle, whole.until_ms))
    ]
    assert sum(parts, Counter()) == {
        host: site.checks for host, site in reference.summarise(recording.checks, whole, exact=True).items()
    }


@fewer
@given(recording=recordings())
def test_statistics_rule_and_failures_agree(recording: Recording) -> None:
    sites = reference.summarise(recording.checks, recording.window, exact=True)
    failures = reference.failures(recording.checks, recording.window, sites.keys())
    for host, seen in reference.downtime(recording.checks, recording.window).items():
        site = sites[host]
        assert (site.checks, site.judged_ms) == (seen.checks, seen.covered_ms)
        judged = seen.checks - site.maintenance
        assert site.available == judged - seen.failures == judged - sum(site.causes.values())
        assert site.available_ms == seen.covered_ms - seen.down_ms
        assert sum(failure.covers_ms for failure in failures.get(host, ())) == seen.down_ms
        assert sum(bucket.failures for bucket in site.trend) == seen.failures


def test_the_trend_has_its_marks_in_order() -> None:
    minute = 60_000
    checks = [
        check(0, response_us=10),
        check(4, response_us=30),
        check(minute, Cause.DNS),
        check(19 * minute, response_us=7),
    ]
    trend = reference.summarise(checks, Window(0, 20 * minute), exact=True)["a"].trend
    assert len(trend) == windows.TREND_BUCKETS
    assert trend[:2] == (Bucket(20.0, 0, 2, 30), Bucket(None, 1, 1, cause=Cause.DNS))
    assert trend[-1] == Bucket(7.0, 0, 1, 7)
    assert set(trend[2:-1]) == {Bucket()}


@given(length_ms=st.integers(1, 10**9))
def test_every_moment_of_a_window_has_its_mark(length_ms: int) -> None:
    site: SiteStats = reference.summarise([check(0), check(length_ms - 1)], Window(0, length_ms), exact=True)["a"]
    assert sum(bucket.mean_us is not None for bucket in site.trend) == (1 if length_ms <= 60_000 else 2)
