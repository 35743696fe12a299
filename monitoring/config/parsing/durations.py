"""Durations and times as users write them on the command line. Pure."""

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitoring.config.parsing.text import Invalid, Segment, Text
from monitoring.config.parsing.values import duration
from monitoring.units import DAY_MS, SECOND_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LONGEST_MS = 3_650 * DAY_MS

_RULE = 'must be a time ("2026-01-01T12:00:00Z", in local time "2026-01-01 12:00") or an age ("1h")'

_AGE = re.compile(r"-?[\d.]+ *[a-z]*", re.ASCII)
"""What looks like an age."""

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)


def length_ms(text: str) -> int:
    """Milliseconds of "24h", "90s", "30d" or a number of seconds. Raises `ArgumentTypeError`."""
    value = Decimal(text) if _NUMBER.fullmatch(text) else Text((Segment(text),))
    try:
        return duration(SECOND_MS, LONGEST_MS)(value)
    except Invalid as error:
        raise ArgumentTypeError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in milliseconds since 1970 or, if `is_ago`, an age in milliseconds."""

    time_ms: int
    is_ago: bool = False

    def at(self, now_ms: int) -> int:
        """Milliseconds since 1970."""
        return now_ms - self.time_ms if self.is_ago else self.time_ms


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC: the window `[from_ms, until_ms)`. `name` is "2026-01"."""

    name: str
    from_ms: int
    until_ms: int


def month(text: str) -> Month:
    """The month "2026-01". Raises `ArgumentTypeError`."""
    match = _MONTH.fullmatch(text)
    if match is None:
        raise ArgumentTypeError('must be a month, as "2026-01"')
    year, number = int(match[1]), int(match[2])
    first, next_first = datetime(year, number, 1, tzinfo=UTC), datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    from_ms, until_ms = map(since_epoch_ms, (first, next_first))
    return Month(text, from_ms, until_ms)


def moment(text: str) -> Moment:
    """A time in a form of `moment_ms`, or an age: "-1h", "30d". Raises `ArgumentTypeError`."""
    if _AGE.fullmatch(text) and not _is_date(text):
        return Moment(length_ms(text.removeprefix("-")), is_ago=True)
    return Moment(moment_ms(text))


def moment_ms(text: str) -> int:
    """Milliseconds since 1970 of a time in RFC 3339. Without an offset it is in this machine's time zone.

    For example "2026-01-01T12:00:00Z", "2026-01-01 12:00", "2026-01-01". Raises `ArgumentTypeError`, also for a local time
    that a change of clocks skipped or repeated.
    """
    try:
        found = datetime.fromisoformat(text)
        first, second = (found.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        is_missing = found.tzinfo is None and first.astimezone().replace(tzinfo=None) != found
    except (ValueError, OverflowError):
        raise ArgumentTypeError(_RULE) from None
    if is_missing:
        raise ArgumentTypeError(f"{text}: there was no such time: clocks went forward, to {_local(max(first, second))}")
    if first != second:
        raise ArgumentTypeError(f"{text}: there were two such times: say {_local(first)} or {_local(second)}")
    return since_epoch_ms(first)


def since_epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of a time with an offset."""
    return (moment.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)


def show_time(time_ms: int) -> str:
    """A moment in this machine's time zone, with its offset, for people."""
    return _local(EPOCH + timedelta(milliseconds=time_ms))


def _local(moment: datetime) -> str:
    """A moment in this machine's time zone, with its offset."""
    return moment.astimezone().isoformat(timespec="minutes")


def _is_date(text: str) -> bool:
    """Is the text a date? 20260101 is one, not a number of seconds."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
