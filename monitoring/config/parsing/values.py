"""Converters for single values of the configuration. Each checks type and range, and raises `Invalid`. Pure.

Strings arrive as `Text`. No message quotes a value, because it may be a secret in the wrong place.
"""

import json
import os
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from monitoring import names
from monitoring.config.parsing.text import Invalid, Schema, Text, accepts, or_variable
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, US_PER_MS

Statuses = tuple[tuple[int, int], ...]


_UNITS_MS = {"ms": 1, "s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?(ms|s|m|h|d)", re.ASCII)
_STATUS_RANGE = re.compile(r"([1-9]\d\d) ?- ?([1-9]\d\d)", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST_DIGITS = 30

LONGEST_PART, LONGEST_PATH = 255, 4_095
"""Bytes in the name of a file, and in its whole path: Linux takes no more."""

NONEMPTY: Schema = MappingProxyType({"type": "string", "minLength": 1})
_STATUS: Schema = MappingProxyType(
    {
        "anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 999},
            or_variable({"type": "string", "pattern": f"^{_STATUS_RANGE.pattern}$"}),
        ]
    }
)


def one_or_more(schema: Schema) -> Schema:
    """A value, or a list of such values."""
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


def named(longest: int) -> Schema:
    return or_variable({"type": "string", "minLength": 1, "maxLength": longest, "pattern": names.PATTERN})


@accepts({"type": "string"})
def text(value: object) -> str:
    """Any string."""
    if not isinstance(value, Text):
        raise Invalid("must be a string")
    return value.value


@accepts(NONEMPTY)
def nonempty(value: object) -> str:
    """Any string except the empty one."""
    found = text(value)
    if not found:
        raise Invalid("must not be empty")
    return found


@accepts(one_or_more(NONEMPTY))
def texts(value: object) -> tuple[str, ...]:
    """A text, or a list of them."""
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise Invalid("must name at least one text")
    return tuple(map(nonempty, listed))


@accepts(NONEMPTY)
def file_name(value: object) -> str:
    """What the name of a file may be. (A blank one comes from a shell's variable that is not set.)"""
    found = nonempty(value)
    if found.isspace():
        raise Invalid("must not be blank")
    if "\0" in found:
        raise Invalid("must not contain NUL")
    if len(os.fsencode(found)) > LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_PART for part in found.split("/")):
        raise Invalid(f"must not be longer than {LONGEST_PART} bytes between two slashes, and {LONGEST_PATH} in all")
    return found


@accepts(one_or_more(NONEMPTY))
def file_names(value: object) -> tuple[str, ...]:
    """The name of a file, or a list of them."""
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise Invalid("must name at least one file")
    return tuple(map(file_name, listed))


@accepts(named(names.LONGEST_LOCATION))
def location(value: object) -> str:
    """The name of a location that every store can keep."""
    return _name(value, names.LONGEST_LOCATION)


@accepts(named(names.LONGEST_ID))
def site_id(value: object) -> str:
    """The id of a site: its name in the stores, in place of its URL."""
    return _name(value, names.LONGEST_ID)


def _name(value: object, longest: int) -> str:
    found = nonempty(value)
    if not names.is_name(found, longest):
        raise Invalid(f"must have at most {longest} characters, and {names.CHARACTERS}")
    return found


@accepts(named(names.LONGEST_LOCATION))
def label(value: object) -> str:
    """The name of a group or of a channel, or a tag."""
    return _name(value, names.LONGEST_LOCATION)


@accepts({"type": "array", "items": named(names.LONGEST_LOCATION), "uniqueItems": True})
def labels(value: object) -> tuple[str, ...]:
    """A list of tags."""
    if not isinstance(value, list):
        raise Invalid("must be a list of strings, […]")
    found = tuple(map(label, value))
    if len(set(found)) < len(found):
        raise Invalid("must not contain a tag twice")
    return found


@accepts({"type": ["string", "object", "array"]})
def body(value: object) -> tuple[bytes, bool]:
    """The body of a request, and whether it is JSON. An object or a list is serialised as JSON."""
    if isinstance(value, dict | list):
        return json.dumps(json_value(value), ensure_ascii=False).encode(), True
    if not isinstance(value, Text):
        raise Invalid("must be a string, or an object or list that is sent as JSON")
    return value.value.encode(), _is_json(value.value)


def _is_json(found: str) -> bool:
    """Is the text a JSON object or list?"""
    if not found.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(found)
    except (ValueError, RecursionError):
        return False
    return True


@accepts({"type": "boolean"})
def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid("must be true or false")
    return value


def choice(*words: str) -> Callable[[object], str]:
    """A converter that takes one of these words."""
    listed = [f'"{word}"' for word in words]

    @accepts(or_variable({"enum": words}))
    def convert(value: object) -> str:
        if not isinstance(value, Text) or value.value not in words:
            raise Invalid(f"must be {', '.join(listed[:-1])} or {listed[-1]}")
        return value.value

    return convert


def whole(low: int, high: int) -> Callable[[object], int]:
    """A converter that takes whole numbers from `low` to `high`."""

    @accepts({"type": "integer", "minimum": low, "maximum": high})
    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(f"must be a whole number from {low} to {high}")
        return value

    return convert


@accepts({"type": "number", "exclusiveMinimum": 0, "maximum": 100})
def percent(value: object) -> Fraction:
    """The exact value of a percentage above 0 and up to 100."""
    found = _exact(value)
    if found is None or not 0 < found <= 100:
        raise Invalid("must be a number above 0 and up to 100 (percent)")
    return Fraction(found)


def duration(low_ms: int, high_ms: int, unit_us: int = US_PER_MS) -> Callable[[object], int]:
    """A converter from seconds or "90s" "5m" "1h" "30d" "500ms" to a whole number of units of `unit_us` microseconds."""
    span = f"from {show_ms(low_ms)} to {show_ms(high_ms)}"
    finest = "milliseconds" if unit_us == US_PER_MS else "microseconds"
    seconds = {"type": "number", "minimum": low_ms / SECOND_MS, "maximum": high_ms / SECOND_MS}
    words = {"type": "string", "pattern": f"^{_DURATION.pattern}$"}

    @accepts({"anyOf": [seconds, or_variable(words)]})
    def convert(value: object) -> int:
        found_ms = _duration_ms(value)
        if found_ms is None:
            raise Invalid('must be a duration: a number of seconds, or "500ms" "90s" "5m" "1h" "30d"')
        if not low_ms <= found_ms <= high_ms:
            raise Invalid(f"must be {span}")
        units = found_ms * (US_PER_MS // unit_us)
        if units.denominator != 1:
            raise Invalid(f"must be whole {finest}")
        return int(units)

    return convert


def _duration_ms(value: object) -> Fraction | int | None:
    if not isinstance(value, Text):
        seconds = _exact(value)
        return None if seconds is None else seconds * SECOND_MS
    match = _DURATION.fullmatch(value.value)
    return Fraction(match[1]) * _UNITS_MS[match[2]] if match else None


def _exact(value: object) -> Fraction | int | None:
    """The exact value of a number; None for anything else, and for exponents that would fill the memory."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, int):
        return value
    number = Decimal(str(value))
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_MOST_DIGITS or number.adjusted() > _MOST_DIGITS:
        return None
    return Fraction(number)


def show_ms(ms: int) -> str:
    """The exact duration for people: "3.5 s", "2 min", "30 d"."""
    for unit, length in (("d", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", SECOND_MS)):
        if ms and ms % length == 0:
            return f"{ms // length} {unit}"
    return f"{Decimal(ms) / SECOND_MS} s" if ms >= SECOND_MS else f"{ms} ms"


def show_number(number: Fraction) -> str:
    """The exact decimal number for people: "80", "99.95"."""
    return f"{(Decimal(number.numerator) / Decimal(number.denominator)).normalize():f}"


@accepts(one_or_more(_STATUS))
def statuses(value: object) -> Statuses:
    """Inclusive ranges, in the given order, from a status, a range like "200-299", or a list of them."""
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise Invalid("must name at least one status; leave it out for any below 400")
    return tuple(_status_range(item) for item in listed)


def _status_range(value: object) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 999:
        return value, value
    match = _STATUS_RANGE.fullmatch(value.value) if isinstance(value, Text) else None
    if match is None or match[1] > match[2]:
        raise Invalid('must be statuses from 100 to 999 and ranges of them such as "200-299"')
    return int(match[1]), int(match[2])


@accepts(or_variable({"type": "string", "pattern": f"^{_TOKEN.pattern}$"}))
def method(value: object) -> str:
    """An HTTP method, in capitals."""
    found = text(value)
    if not _TOKEN.fullmatch(found):
        raise Invalid("must be an HTTP method such as GET, HEAD or POST")
    if found.upper() == "CONNECT":
        raise Invalid("must not be CONNECT: it asks a proxy for a tunnel, and no website for a page")
    return found.upper()


@accepts(NONEMPTY)
def pattern(value: object) -> str:
    """A regular expression of the `regex` package, compiled here so that an invalid one never reaches a check."""
    found = nonempty(value)
    import regex

    try:
        regex.compile(found)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        position = getattr(error, "pos", None)
        raise Invalid(
            "is not a valid regular expression" + (f" (see character {position + 1})" if position else "")
        ) from None
    return found


@accepts({})
def json_value(value: object) -> Any:
    """Plain data, as `json.loads` returns it. Here null is a value like any other."""
    if isinstance(value, Text):
        return value.value
    if isinstance(value, list):
        return [json_value(item) for item in value]
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise Invalid("must not contain a number that is not finite or has too many digits")
        return float(value)
    return value


def is_header_name(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


@accepts({"type": "string"})
def header(value: object) -> tuple[str, bool]:
    """The value of a header, and whether any of it comes from a variable. A line break would start another header."""
    found = text(value)
    if any(character in found for character in "\r\n\0"):
        raise Invalid("must not contain line breaks or NUL")
    return found, isinstance(value, Text) and any(part.variable for part in value.parts)
