"""Durations and times of the command line."""

import time
from argparse import ArgumentTypeError
from collections.abc import Iterator

import pytest

from monitoring.commands.cli import parse_arguments
from monitoring.config.parsing.durations import length_ms, moment, moment_ms
from tests.support.points import START_MS


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("24h", 86_400_000), ("90s", 90_000), ("90", 90_000), ("1.5", 1_500), ("30d", 2_592_000_000)]
)
def test_a_length_is_read_as_in_the_configuration(text: str, milliseconds: int) -> None:
    assert length_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "0", "1y", "-1h", "1e9", "nan", "500ms", "4000d", "24 hours"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^must be"):
        length_ms(text)


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00.000+01:00", "2026-01-01 13:00", "2026-01-01 13", "20260101T120000Z"],
)
def test_a_moment_without_offset_is_local_time(text: str, paris: None) -> None:
    assert moment_ms(text) == START_MS + 12 * 3_600_000


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "2026-13-01", "0001-01-01T00:00:00+23:00", "1767225600"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^must be a time"):
        moment_ms(text)


@pytest.fixture
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone with daylight saving."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Paris")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-03-29 02:30", "there was no such time: clocks went forward, to 2026-03-29T03:30+02:00"),
        ("2026-10-25 02:30", "there were two such times: say 2026-10-25T02:30+02:00 or 2026-10-25T02:30+01:00"),
    ],
)
def test_a_time_that_clocks_skipped_or_repeated_is_refused(paris: None, text: str, said: str) -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        moment(text)
    assert str(caught.value) == f"{text}: {said}"
    assert moment_ms(f"{text}+01:00") == moment_ms(f"{text}+02:00") + 3_600_000


@pytest.mark.parametrize(
    ("text", "age_ms"), [("-1h", 3_600_000), ("1h", 3_600_000), ("-90", 90_000), ("30d", 30 * 86_400_000)]
)
def test_a_moment_may_be_an_age(text: str, age_ms: int) -> None:
    assert moment(text).at(START_MS) == START_MS - age_ms
    for flag in ("--at", "--before"):
        mode = "-p" if flag == "--at" else "--purge"
        found = parse_arguments([mode, flag, text])
        assert vars(found)[flag.strip("-")].at(START_MS) == START_MS - age_ms


def test_a_date_in_eight_digits_is_no_number_of_seconds(paris: None) -> None:
    assert moment("20260101").at(0) == START_MS - 3_600_000


def test_an_age_that_is_none_is_refused_in_one_sentence() -> None:
    with pytest.raises(ArgumentTypeError, match=r"^must be from 1 s to 3650 d$"):
        moment("0d")
