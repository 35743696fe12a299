"""What values may be, and how messages become JSON: bounds, names, and words for what is wrong. Pure."""

import re
from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from sys import byteorder
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from monitoring import names
from monitoring.fields import LONGEST_TIME_US, NEWEST_MS, OLDEST_MS
from monitoring.statistics.summary import TIMES, Span

LAST_MS = 7_258_118_400_000
"""2200-01-01: no window ends later."""

MOST_POINTS = 20_000
"""Checks, alerts and summaries of one request, each."""

LONGEST_BODY = 8 << 20
"""Bytes of one request."""

LARGEST_SUM = 10**15
"""Of milliseconds or microseconds: sums of some thousands of these are whole in 64 bits."""

MOST_COUNT = 10**9
"""Checks of one summary: ten thousand a second for a day."""

MARKER_PATTERN = r"^[0-9A-Za-z_-]{1,64}$"
MARKER = re.compile(MARKER_PATTERN.strip("^$"))

LONGEST_PACKED = 4 << 20
"""Bytes of the response times, or of the sketch, of one summary."""

TIME_BYTES = array(TIMES).itemsize

LONGEST_WORDS = 300
"""Characters of what is said of a wrong value."""

Message = TypeVar("Message")
Name = TypeVar("Name", bound=str)


class Malformed(ValueError):
    """What is wrong with a value, after its path. Never quotes more than a few characters of it."""


# Values


def _name(longest: int) -> Meta:
    return Meta(min_length=1, max_length=longest, extra_json_schema={"pattern": names.PATTERN})


Moment = Annotated[int, Meta(ge=OLDEST_MS, le=NEWEST_MS - 1)]
Count = Annotated[int, Meta(ge=0, le=MOST_COUNT)]
Sum = Annotated[int, Meta(ge=0, le=LARGEST_SUM)]
Time = Annotated[int, Meta(ge=0, le=LONGEST_TIME_US)]
Status = Annotated[int, Meta(ge=1, le=999)]
Percent = Annotated[float, Meta(ge=0, le=100)]
WaterMark = Annotated[int, Meta(ge=0, le=LAST_MS)]
Host = Annotated[str, _name(names.LONGEST_HOST)]
Location = Annotated[str, _name(names.LONGEST_LOCATION)]
Marker = Annotated[str, Meta(extra_json_schema={"pattern": MARKER_PATTERN})]
Packed = Annotated[bytes, Meta(max_length=LONGEST_PACKED)]
SpanName = Literal["minute", "hour", "day"]
SPANS: Mapping[str, Span] = {span.name.lower(): span for span in Span}
FiveCounts = tuple[Count, Count, Count, Count, Count]
FiveSums = tuple[Sum, Sum, Sum, Sum, Sum]


def must_be_name(key: str, text: str, longest: int) -> None:
    if not names.is_name(text, longest):
        raise ValueError(f"{key} must hold {names.CHARACTERS}")


def require(is_right: bool, rule: str) -> None:
    if not is_right:
        raise ValueError(rule)


def packed_times(times: "array[int]") -> bytes:
    return _little(times).tobytes()


def times_of(packed: bytes) -> "array[int]":
    times = array(TIMES)
    times.frombytes(packed)
    return _little(times)


def _little(times: "array[int]") -> "array[int]":
    """Little-endian, whatever this machine is, or back from it."""
    if byteorder == "little":
        return times
    swapped = times[:]
    swapped.byteswap()
    return swapped


# JSON

encode = partial(msgspec.json.encode, order=None)

_encoder = msgspec.json.Encoder()


def array_of(messages: Iterable[object]) -> bytes:
    """A JSON array, made one by one: what was encoded is not kept."""
    return b"[" + b",".join(map(_encoder.encode, messages)) + b"]"


def decode(body: bytes, kind: type[Message]) -> Message:
    """Raises `Malformed`; `msgspec.DecodeError` when it is no JSON."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Malformed(plainly(error)) from None


_AT = re.compile(r"(?s)(.*) - at `(?:key` in `)?\$\.?(.*)`")


def plainly(error: msgspec.ValidationError) -> str:
    """The path of the wrong value, and the rule."""
    text, path = str(error), ""
    if found := _AT.fullmatch(text):
        text, path = found[1], found[2]
    words = text[:1].lower() + text[1:].replace("`", "")
    whole = f"{path}: {words}" if path else words
    return "".join(letter if letter.isprintable() else " " for letter in whole)[:LONGEST_WORDS]
