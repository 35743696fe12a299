"""Durations and times as users write them on the command line. Pure."""

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitoring.config.text import Invalid, Segment, Text
from monitoring.config.values import duration
from monitoring.units import DAY_MS, SECOND_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LONGEST_MS = 3_650 * DAY_MS

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)


def length_ms(text: str) -> int:
    """Milliseconds of "24h", "90s", "30d" or a number of seconds. Raises `ArgumentTypeError`."""
    value = Decimal(text) if _NUMBER.fullmatch(text) else Text((Segment(text),))
    try:
        return duration(SECOND_MS, LONGEST_MS)(value)
    except Invalid as error:
        raise ArgumentTypeError(str(error)) from None


def moment_ms(text: str) -> int:
    """Milliseconds of a moment: RFC 3339, or without an offset a time of this machine's time zone.

    "2026-01-01T12:00:00Z", "2026-01-01 12:00", "2026-01-01". Raises `ArgumentTypeError`.
    """
    try:
        moment = datetime.fromisoformat(text)
        return (moment.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise ArgumentTypeError('must be a moment: "2026-01-01T12:00:00Z", or in local time "2026-01-01 12:00"') from None
