"""When maintenance is that the configuration plans, also on the nights on which clocks are changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.config import describe_maintenance
from monitoring.config.keys.maintenance import Maintenance
from monitoring.models import Window
from monitoring.statistics.windows import joined
from tests.support.configurations import parse

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WEBSITES = [
    {"URL": "http://a.example", "name": "a", "tags": ["shop"]},
    {"URL": "http://b.example", "name": "b", "group": "inner", "maintenance": [{"cron": "0 4 * * *", "duration": "5m"}]},
]
HOST_A, HOST_B = "http://a.example", "http://b.example"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def shown(window: Window) -> tuple[str, str]:
    return utc(window.from_ms), utc(window.until_ms)


def utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="minutes").removesuffix("+00:00")


def nightly(cron: str, length_ms: int = HOUR_MS, timezone: str = "Europe/Paris") -> Maintenance:
    return Maintenance(frozenset({HOST_A}), cron=cron, timezone=timezone, length_ms=length_ms)


@pytest.mark.parametrize(
    ("cron", "day", "begins", "ends"),
    [
        ("0 2 * * *", "2026-10-24", "2026-10-24T00:00", "2026-10-24T01:00"),  # summer time: 02:00+02:00
        ("0 2 * * *", "2026-10-26", "2026-10-26T01:00", "2026-10-26T02:00"),  # winter time: 02:00+01:00
        # Clocks go back from 03:00 to 02:00: 02:00 is there twice, and maintenance once, the first time, for an hour.
        ("0 2 * * *", "2026-10-25", "2026-10-25T00:00", "2026-10-25T01:00"),
        ("30 2 * * 0", "2026-10-25", "2026-10-25T00:30", "2026-10-25T01:30"),
        ("0 1 * * 0", "2026-10-25", "2026-10-24T23:00", "2026-10-25T00:00"),
        ("0 3 * * 0", "2026-10-25", "2026-10-25T02:00", "2026-10-25T03:00"),
        # Clocks go forward from 02:00 to 03:00: there is no 02:00, and maintenance begins at 03:00+02:00.
        ("0 2 * * *", "2027-03-28", "2027-03-28T01:00", "2027-03-28T02:00"),
        ("30 2 * * 0", "2027-03-28", "2027-03-28T01:00", "2027-03-28T02:00"),
        ("0 1 * * 0", "2027-03-28", "2027-03-28T00:00", "2027-03-28T01:00"),
        ("0 3 * * 0", "2027-03-28", "2027-03-28T01:00", "2027-03-28T02:00"),
    ],
)
def test_a_night_has_its_maintenance_once_and_for_an_hour(cron: str, day: str, begins: str, ends: str) -> None:
    """From 20:00 UTC of the day before."""
    from_ms = ms(f"{day}T00:00+00:00") - 4 * HOUR_MS
    (window,) = nightly(cron).windows(Window(from_ms, from_ms + 12 * HOUR_MS))
    assert shown(window) == (begins, ends)


@pytest.mark.parametrize(("day", "hours"), [("2026-10-24", 24), ("2026-10-25", 25), ("2027-03-28", 23)])
def test_every_hour_is_every_hour_that_passes(day: str, hours: int) -> None:
    """Five minutes of each hour of the day in Paris."""
    first = datetime.fromisoformat(f"{day}T00:00+{'01' if day.startswith('2027') else '02'}:00")
    span = Window(round(first.timestamp() * 1_000), round(first.timestamp() * 1_000) + hours * HOUR_MS)
    windows = list(nightly("0 * * * *", 5 * MINUTE_MS).windows(span))
    assert [it.from_ms for it in windows] == [span.from_ms + hour * HOUR_MS for hour in range(hours)]


@given(
    begin_ms=st.integers(ms("2026-01-01T00:00+00:00"), ms("2027-12-31T00:00+00:00")),
    hours=st.integers(1, 72),
    length_min=st.sampled_from([1, 30, 60, 100, 1_500]),
    cron=st.sampled_from(["0 2 * * *", "30 2 * * *", "*/20 * * * *", "0 2 * * 0", "15 1-3 * * *", "0 0 1 * *"]),
    timezone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_maintenance_is_where_it_began_lately_enough(
    begin_ms: int, hours: int, length_min: int, cron: str, timezone: str
) -> None:
    """Whichever span is asked about: the same time, in order, all of it and nothing else."""
    planned = nightly(cron, length_min * MINUTE_MS, timezone)
    span = Window(begin_ms, begin_ms + hours * HOUR_MS)
    found = list(planned.windows(span))
    assert all(it.from_ms < span.until_ms and it.until_ms > span.from_ms for it in found)
    assert all(it.length_ms == planned.length_ms for it in found)
    assert [it.from_ms for it in found] == sorted({it.from_ms for it in found})
    wider = planned.windows(Window(span.from_ms - 40 * DAY_MS, span.until_ms))
    for whole in joined(wider):
        if whole.until_ms > span.from_ms:
            covering = [it for it in joined(found) if it.until_ms == whole.until_ms]
            assert covering
            assert covering[0].from_ms <= max(whole.from_ms, span.from_ms)


def test_sites_are_chosen_as_for_notifications_and_may_plan_for_themselves() -> None:
    once = {"from": "2026-12-01T02:00+01:00", "until": "2026-12-01T01:30Z"}
    chosen = [{**once, "sites": sites} for sites in (["tag:shop"], ["group:inner"], ["a", "http://b.example/"])]
    own, *found, every = parse({"websites": WEBSITES, "maintenance": [*chosen, once]}).maintenance
    assert (own.hosts, own.cron, own.timezone, own.length_ms) == ({HOST_B}, "0 4 * * *", "UTC", 5 * MINUTE_MS)
    assert [it.hosts for it in found] == [{HOST_A}, {HOST_B}, {HOST_A, HOST_B}]
    assert every.hosts == {HOST_A, HOST_B}
    assert every.once == Window(ms("2026-12-01T01:00+00:00"), ms("2026-12-01T01:30+00:00"))


def test_the_next_maintenance_is_said() -> None:
    planned = [{"from": "2026-12-01T02:00Z", "until": "2026-12-01T03:00Z", "sites": ["a"]}]
    config = parse({"websites": WEBSITES, "maintenance": planned})
    before, after = (describe_maintenance(config, ms(it)) for it in ("2026-11-30T12:00+00:00", "2026-12-02T12:00+00:00"))
    nightly_line, once_line = before
    assert nightly_line.startswith('maintenance of http://b.example: "0 4 * * *" in UTC for 5 min: next 2026-12-01T')
    assert once_line.startswith("maintenance of http://a.example: 2026-1")
    assert after[1] == "maintenance of http://a.example: over"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20))))
def test_windows_are_joined_where_they_touch(pairs: list[tuple[int, int]]) -> None:
    windows = [Window(first, first + length) for first, length in pairs]
    found = joined(windows)
    assert {it for one in found for it in range(one.from_ms, one.until_ms)} == {
        it for one in windows for it in range(one.from_ms, one.until_ms)
    }
    assert all(one.until_ms < other.from_ms for one, other in pairwise(found))


def test_what_began_before_is_found_however_long_it_lasts() -> None:
    planned = nightly("0 2 * * 1", 3 * DAY_MS)
    (window,) = planned.windows(Window(ms("2026-11-04T12:00+00:00"), ms("2026-11-04T12:01+00:00")))
    assert shown(window) == ("2026-11-02T01:00", "2026-11-05T01:00")
    assert timedelta(milliseconds=window.length_ms) == timedelta(days=3)
