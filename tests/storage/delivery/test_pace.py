"""What is said of a backlog while it is delivered: how much waits, how fast it goes, how long it takes."""

from collections.abc import Iterable

import pytest

from monitoring.storage.base import Pending
from monitoring.storage.delivery.pace import Backlog, Pace
from monitoring.storage.delivery.words import behind_text


def paces(waiting: Iterable[int], every_s: float = 1) -> list[Pace | None]:
    """What is known each time after so many points have waited, a look a second."""
    backlog = Backlog()
    return [backlog.pace(int(number * every_s * 1e9), points) for number, points in enumerate(waiting)]


def test_a_pace_is_known_after_some_seconds() -> None:
    assert paces([10_000, 9_000, 8_000, 7_000, 6_000]) == [None, None, None, Pace(1_000, 7), Pace(1_000, 6)]


def test_checks_that_come_meanwhile_count_against_it() -> None:
    """Batches go at once, checks come one by one."""
    assert paces([10_000, 10_000, 8_000, 8_100, 6_100, 6_200])[-1] == Pace(760, 8)


@pytest.mark.parametrize("waiting", [[100] * 9, [100, 200, 300, 400, 500], [0] * 9])
def test_what_does_not_shrink_has_none(waiting: list[int]) -> None:
    assert set(paces(waiting)) == {None}


def test_what_was_long_ago_does_not_count() -> None:
    """It stood still for ten minutes, then went at ten points a second."""
    assert paces([*[10_000] * 600, *range(10_000, 9_000, -10)])[-1] == Pace(10, 901)


def test_another_backlog_begins_anew() -> None:
    assert paces([1_000, 800, 600, 0, 50_000, 49_900])[-1] is None


@pytest.mark.parametrize(
    ("pace", "left"), [(None, ""), (Pace(0, 86_400), ""), (Pace(1_200, 125), ": 1200 a second, about 2 min 5 s left")]
)
def test_it_is_said(pace: Pace | None, left: str) -> None:
    assert behind_text("InfluxDB", Pending(150_000), pace) == f"InfluxDB has yet to receive 150000 points{left}"
