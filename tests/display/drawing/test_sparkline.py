"""Trends: what a mark stands for, and the scale that all rows share."""

from monitoring.display.drawing.chart import cause_legend, cause_strip, chart_lines
from monitoring.display.drawing.sparkline import Scale, shortened, sparkline
from monitoring.models import Bucket, Cause


def took(p95_us: int | None, failures: int = 0, checks: int = 10, cause: Cause | None = None) -> Bucket:
    return Bucket(None if p95_us is None else p95_us / 2, failures, checks, p95_us, cause)


def test_a_mark_shows_the_share_that_failed() -> None:
    """One failure of 15 is not what 15 of 15 are."""
    trend = [took(1_000, 0, 15), took(1_000, 1, 15), took(1_000, 7, 15), took(1_000, 8, 15), took(None, 15, 15), Bucket()]
    line = sparkline(trend, Scale.of([trend]), 6)
    assert line.plain == "▁▒▒xx·"
    assert {line.plain[span.start] for span in line.spans if span.style == "bad"} == {"▒", "x"}


def test_all_rows_share_a_logarithmic_scale() -> None:
    quick, slow = [took(1_000), took(10_000)], [took(100_000), took(1_000_000)]
    scale = Scale.of([quick, slow])
    assert [sparkline(trend, scale, 2).plain for trend in (quick, slow)] == ["▁▃", "▆█"]


def test_the_height_is_the_95th_percentile_and_without_one_the_mean() -> None:
    exact, long = [took(1_000), took(8_000)], [Bucket(1_000.0, 0, 9), Bucket(8_000.0, 0, 9)]
    assert sparkline(exact, Scale.of([exact]), 2).plain == sparkline(long, Scale.of([long]), 2).plain == "▁█"


def test_equal_times_are_the_lowest_bar() -> None:
    trend = [took(5_000), took(5_000), took(0)]
    assert sparkline(trend, Scale.of([trend]), 3).plain == "▁▁▁"


def test_a_line_is_exactly_as_long_as_it_is_told() -> None:
    """A window that cuts its first mark has one too many; before the first statistics there are none."""
    trend = [took(9_000, 10), *([took(1_000)] * 10)]
    assert sparkline(trend, Scale.of([trend]), 10).plain == "▁" * 10
    assert sparkline((), Scale(), 10).plain == "·" * 10


def test_of_two_neighbours_the_slower_time_and_all_failures_count() -> None:
    trend = [took(8_000), took(1_000), took(1_000, 3, 10, Cause.DNS), took(None), took(1_000), took(None), Bucket()]
    found = shortened(trend, 3)
    assert [mark.p95_us for mark in found] == [1_000, 1_000, None]
    assert (found[0].failures, found[0].checks, found[0].cause) == (3, 20, Cause.DNS)


def test_a_strip_names_causes_by_letters() -> None:
    trend = [took(1_000), took(None, 10, 10, Cause.TIMEOUT), took(1_000, 2, 10, Cause.STATUS), Bucket()]
    assert cause_strip(trend, 8).plain == "▁▁TTss··"
    assert cause_legend(trend) == "T timeout  S status"


def test_a_chart_stands_on_a_logarithmic_scale_and_names_its_ends() -> None:
    trend = [took(1_000), took(1_000_000), took(None, 10, 10, Cause.DNS)]
    lines = [line.plain for line in chart_lines(trend, 14, 4)]
    assert [line.strip() for line in lines] == ["1.00s   ██", "██", "██", "1.0ms ▁▁██xx"]


def test_a_chart_of_equal_times_names_them_once() -> None:
    lines = [line.plain.strip() for line in chart_lines([took(1_000), took(1_000)], 12, 3)]
    assert lines == ["", "", "1.0ms ▁▁▁▁"]
