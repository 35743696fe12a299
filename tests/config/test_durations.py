"""Lengths and moments of time as they are written on the command line."""

from argparse import ArgumentTypeError

import pytest

from monitoring.config.durations import length_ms, moment_ms
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
def test_a_moment_without_offset_is_local_time(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Paris")
        time.tzset()
        found = moment_ms(text)
    time.tzset()
    assert found == START_MS + 12 * 3_600_000


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "2026-13-01", "0001-01-01T00:00:00+23:00", "1767225600"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^must be a moment"):
        moment_ms(text)
