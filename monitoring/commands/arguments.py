"""Reads the values of the command line as the configuration reads its own.

Each reader imports what it needs, so that `--help` is answered before anything of that is loaded.
"""

from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from fractions import Fraction

    from monitoring.config.parsing.durations import Moment, Month

Value = TypeVar("Value")


def file(text: str) -> Path:
    """The name of a file, which need not be there."""
    from monitoring.config.parsing.values import file_name

    return Path(_text(file_name, text))


def location(text: str) -> str:
    """The name of a location, also the empty one of those without a name."""
    from monitoring.config.parsing import values

    return _text(values.location, text) if text else text


def month(text: str) -> "Month":
    from monitoring.config.parsing import durations

    return durations.month(text)


def length_ms(text: str) -> int:
    from monitoring.config.parsing import durations

    return durations.length_ms(text)


def moment(text: str) -> "Moment":
    from monitoring.config.parsing import durations

    return durations.moment(text)


def percent(text: str) -> "Fraction":
    from monitoring.config.parsing import values

    return _number(values.percent, text)


def failures(text: str) -> int:
    from monitoring.config.keys.websites import FAILURES

    return _number(FAILURES, text)


def limit(text: str) -> int:
    from monitoring.config.parsing.values import whole

    return _number(whole(1, 1_000_000), text)


def _text(convert: Callable[[object], Value], text: str) -> Value:
    from monitoring.config.parsing.text import Invalid, Segment, Text

    try:
        return convert(Text((Segment(text),)))
    except Invalid as error:
        raise ArgumentTypeError(str(error)) from None


def _number(convert: Callable[[object], Value], text: str) -> Value:
    from decimal import Decimal

    from monitoring.config.parsing.text import Invalid

    try:
        return convert(Decimal(text) if "." in text else int(text))
    except (ValueError, ArithmeticError):
        raise ArgumentTypeError("must be a number") from None
    except Invalid as error:
        raise ArgumentTypeError(str(error)) from None
