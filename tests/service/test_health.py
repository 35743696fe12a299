"""What went wrong with the monitor itself is told once when it begins, and stands in the header as long as it runs."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from monitoring.display.output.outputs import SilentOutput
from monitoring.service.health import EXPIRY_MS, REPORT_AFTER_MS, STALL_MS, BurstCounter, FailureReporter, Health
from monitoring.storage.delivery import words
from monitoring.storage.delivery.words import Condition
from monitoring.units import NS_PER_MS
from tests.support.clock import FakeClock


def told(counter: BurstCounter, *moments: tuple[float, int]) -> list[int]:
    """What is told at these moments (in seconds), when the number is so high."""
    return [counter.step(count, round((5 + second) * 1_000) * NS_PER_MS) for second, count in moments]


def test_a_number_is_told_once_it_has_settled() -> None:
    counts = [(0, 0), (1, 3), (2, 7), (3, 9), (4, 9), (60, 9), (99, 9)]
    assert told(BurstCounter(60_000), *counts) == [0, 0, 0, 9, 0, 0, 0]


def test_each_stall_is_told_for_itself() -> None:
    assert told(BurstCounter(60_000), (1, 3), (4, 3), (61, 3), (70, 5), (73, 5), (140, 5)) == [0, 3, 0, 0, 2, 0]


def test_a_stall_that_goes_on_is_told_when_it_begins_and_when_it_is_over() -> None:
    going_on = [(float(second), second) for second in range(1, 600)]
    found = told(BurstCounter(60_000), *going_on, (658, 599), (659, 599), (900, 599))
    assert [more for more in found if more] == [3, 596]


@dataclass
class Store:
    """Of `LocalFirstStore` what is asked here."""

    lost: int = 0
    standing: list[Condition] = field(default_factory=list)
    name: str = "InfluxDB at localhost:8086"

    def conditions(self) -> Sequence[Condition]:
        return self.standing

    def expired(self) -> int:
        return self.lost


@dataclass
class Pool:
    missed: int = 0


class Scene:
    """Health of a monitor that is looked at once a second."""

    def __init__(self) -> None:
        self.store, self.pool, self.clock = Store(), Pool(), FakeClock()
        self.health = Health(self.store, lambda: self.pool.missed, self.clock)

    def told_in(self, milliseconds: int) -> list[str]:
        found = []
        for _ in range(milliseconds // 1_000):
            self.clock.advance(1)
            found += self.health.news()
        return found


def test_while_all_is_well_nothing_is_said() -> None:
    scene = Scene()
    assert scene.told_in(STALL_MS) == list(scene.health.header_notes()) == []


def test_missed_checks_stand_in_the_header_in_all_and_are_told_stall_by_stall() -> None:
    scene = Scene()
    scene.pool.missed = 1
    assert scene.told_in(STALL_MS + REPORT_AFTER_MS) == [
        "1 check was not made: this machine was too busy, asleep or out of files"
    ]
    scene.pool.missed = 41
    assert scene.told_in(STALL_MS) == ["40 checks were not made: this machine was too busy, asleep or out of files"]
    assert scene.health.header_notes() == ["41 checks were not made: this machine was too busy, asleep or out of files"]


def test_checks_that_no_database_had_are_told_when_that_begins_and_all_of_them_when_it_is_over() -> None:
    scene = Scene()
    found = []
    for hour in range(1, 5):
        scene.store.lost = hour * 7_200
        found += scene.told_in(3_600_000)
    assert found == ["7200 checks grew older than retention before InfluxDB at localhost:8086 had them"]
    sentence = "28800 checks grew older than retention before InfluxDB at localhost:8086 had them"
    assert scene.told_in(EXPIRY_MS) == [sentence]
    assert scene.health.header_notes() == [sentence]


def test_a_condition_is_told_once_and_stands_as_long_as_it_lasts() -> None:
    scene = Scene()
    sentence = "what is older than retention or was purged stays: InfluxDB at localhost:8086 does not answer in time"
    scene.store.standing = [words.not_deleted("InfluxDB at localhost:8086 does not answer in time")]
    assert scene.told_in(9_000) == [sentence]
    assert scene.health.header_notes() == [sentence]
    scene.store.standing = []
    assert scene.told_in(9_000) == list(scene.health.header_notes()) == []


def test_what_the_source_of_the_numbers_says_already_stands_there_only() -> None:
    scene = Scene()
    scene.store.standing = [words.unwritten("disk full; 3 points wait in memory")]
    assert scene.told_in(9_000) == ["checks cannot be written: disk full; 3 points wait in memory"]
    assert scene.health.header_notes() == []
    scene.store.standing = []
    assert scene.told_in(9_000) == ["checks are written again"]


def test_an_output_without_a_header_says_it_on_stderr() -> None:
    errors = io.StringIO()
    SilentOutput(errors).news("2 checks were not made")
    assert errors.getvalue() == "2 checks were not made\n"


@pytest.mark.parametrize(("once", "said"), [(False, ["no: a", "no: b", "yes", "no: a"]), (True, ["no: a", "yes", "no: a"])])
def test_trouble_is_said_when_it_begins_when_it_changes_and_when_it_is_over(once: bool, said: list[str]) -> None:
    heard: list[str] = []
    reporter = FailureReporter(heard.append, "no", "yes", once=once)
    for why in (None, "a", "a", "b", None, None, "a"):
        reporter.result(why)
    assert heard == said


def test_a_failure_that_is_forgiven_is_not_said_nor_that_it_is_over() -> None:
    heard: list[str] = []
    reporter = FailureReporter(heard.append, "no", "yes", tolerated=1)
    for why in ("a", None, "a", "a", None):
        reporter.result(why)
        assert reporter.is_well == (why is None)
    assert heard == ["no: a", "yes"]


def test_whatever_error_an_attempt_raises_is_a_reason() -> None:
    heard: list[str] = []
    reporter = FailureReporter(heard.append, "no", "yes")
    attempts: list[Callable[[], object]] = [lambda: 1 / 0, lambda: None]
    for attempt in attempts:
        reporter.attempt(attempt)
    assert heard == ["no: ZeroDivisionError: division by zero", "yes"]
