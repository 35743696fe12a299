"""The line in which a filter or a time is typed."""

from datetime import UTC, datetime

import pytest

from monitoring.display.words import local_time
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS
from monitoring.viewer.prompt import LONGEST, Prompt, PromptKind, time_of

NOW_MS = round(datetime(2026, 11, 28, 18, 24, 7, tzinfo=UTC).timestamp() * 1_000)
PROMPT = Prompt(PromptKind.FILTER)


def typed(*keys: str) -> str:
    prompt = PROMPT
    for key in keys:
        prompt = prompt.typed(key, key if len(key) == 1 else None)
    return prompt.text


def test_what_is_typed_stands_there() -> None:
    assert typed(*"state:down") == "state:down"
    assert typed("a", "b", "backspace", "c") == "ac"
    assert typed(*"two words", "ctrl+w") == "two"
    assert typed(*"two words", "ctrl+u", "x") == "x"
    assert typed("a", "up", "f1", "b") == "ab", "other keys mean nothing"


def test_a_control_character_is_not_typed() -> None:
    assert PROMPT.typed("ctrl+g", "\x07").text == ""
    assert PROMPT.pasted("name\x1b[31m\r\nq").text == "name[31m"
    assert len(PROMPT.pasted("x" * 10_000).text) == LONGEST


def test_a_time_of_day_is_the_last_one_that_was() -> None:
    now = local_time(NOW_MS)
    before = local_time(NOW_MS - 10 * MINUTE_MS)
    later = local_time(NOW_MS + 10 * MINUTE_MS)
    assert local_time(time_of(f"{before:%H:%M}", NOW_MS)) == before.replace(second=0)
    assert local_time(time_of(f"{later:%H:%M}", NOW_MS)) == local_time(NOW_MS + 10 * MINUTE_MS - DAY_MS).replace(second=0)
    assert local_time(time_of(f" {now:%H:%M:%S} ", NOW_MS)) == now


def test_dates_and_ages_are_times_as_well() -> None:
    assert time_of("-2h", NOW_MS) == NOW_MS - 2 * HOUR_MS
    assert time_of("2026-11-28T18:00:00Z", NOW_MS) == NOW_MS - 24 * MINUTE_MS - 7_000


@pytest.mark.parametrize(("wanted", "words"), [
    ("2026-12-24T00:00:00Z", "yet to come"),
    ("yesterday", "try 18:05"),
    ("25:00", "try 18:05"),
    ("2026-02-30", "try 18:05"),
])  # fmt: skip
def test_what_is_no_time_is_told(wanted: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        time_of(wanted, NOW_MS)
