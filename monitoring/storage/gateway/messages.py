"""What a gateway and its clients say to each other, as JSON: each value, its name and its bounds declared once.

Validation, the OpenAPI description and both directions follow from these structs. A check has the fields of
`fields.CHECK_FIELDS`. Integers stay integers, and a float's JSON gives the same float again: so numbers that passed a
gateway equal those of the store behind it.

The structs of what is written are strict: an unknown key is refused. What is read may have keys that a newer gateway adds.
"""

import re
from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from sys import byteorder
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from monitoring import fields, names
from monitoring.fields import CHECK_FIELDS, LONGEST_TIME_US, NEWEST_MS, OLDEST_MS, Field, Kind
from monitoring.models import (
    PHASES,
    Alert,
    AlertType,
    Bucket,
    Cause,
    CheckResult,
    History,
    ResponseTimes,
    SiteStats,
)
from monitoring.statistics.summary import TIMES, SiteSummary, Span, Summary
from monitoring.storage.base import DeliveryRecord

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
_MARKER = re.compile(MARKER_PATTERN.strip("^$"))

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


def _integer(low: int, high: int) -> Any:
    return Annotated[int, Meta(ge=low, le=high)]


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
FiveCounts = tuple[Count, Count, Count, Count, Count]
FiveSums = tuple[Sum, Sum, Sum, Sum, Sum]


def _must_be_name(key: str, text: str, longest: int) -> None:
    if not names.is_name(text, longest):
        raise ValueError(f"{key} must hold {names.CHARACTERS}")


# Points


def _check_type(field: Field) -> Any:
    """The type of a check's field, by what the table of fields says of it."""
    if field.kind is Kind.CAUSE:
        known: Any = Cause
    elif field.kind is Kind.TEXT:
        known = Annotated[str, Meta(max_length=field.high)]
    else:
        known = Annotated[int, Meta(ge=field.low, le=field.high)]
    described = Annotated[known, Meta(description=field.meaning)]
    return described | None if field.optional else described


def _check_field(field: Field) -> tuple[str, Any] | tuple[str, Any, Any]:
    """For `msgspec.defstruct`."""
    if field.optional:
        return field.message, _check_type(field), None
    if field.kind is Kind.TEXT:
        return field.message, _check_type(field), ""
    return field.message, _check_type(field)


def _test_host(message: Any) -> None:
    _must_be_name("host", message.host, names.LONGEST_HOST)


_CHECK = [("host", Host), ("timeMs", Moment), *map(_check_field, CHECK_FIELDS)]

Check = msgspec.defstruct("Check", _CHECK, kw_only=False)
"""A check as it is read: `host`, `timeMs`, and the fields of `CHECK_FIELDS` in their order."""

NewCheck = msgspec.defstruct(
    "NewCheck",
    _CHECK,
    namespace={"__post_init__": _test_host},
    forbid_unknown_fields=True,
)
"""The same as it is written."""


def check_message(check: CheckResult) -> Struct:
    return Check(check.host, check.time_ms, *fields.values(check))


def check_of(message: Any) -> CheckResult:
    host, time_ms, *values = msgspec.structs.astuple(message)
    return fields.check_of(host, time_ms, values)


class AlertMessage(Struct, rename="camel"):
    """A state change."""

    type: AlertType
    host: Host
    time_ms: Moment
    start_ms: Moment
    availability: Percent
    end_ms: Moment | None = None
    cause: Cause | None = None

    @classmethod
    def of(cls, alert: Alert) -> "AlertMessage":
        return cls(alert.type, alert.host, alert.time_ms, alert.start_ms, alert.availability, alert.end_ms, alert.cause)

    def alert(self) -> Alert:
        return Alert(self.type, self.host, self.time_ms, self.start_ms, self.end_ms, self.availability, self.cause)


class NewAlert(AlertMessage, rename="camel", forbid_unknown_fields=True):
    """The same as it is written."""

    def __post_init__(self) -> None:
        _test_host(self)
        if self.type is AlertType.ALERT and self.end_ms is not None:
            raise ValueError("endMs must be null: an alert has no end")


SpanName = Literal["minute", "hour", "day"]
SPANS: Mapping[str, Span] = {span.name.lower(): span for span in Span}


class SummaryMessage(Struct, rename="camel", forbid_unknown_fields=True):
    """What the checks of one site in a span add up to. Responses and phases are those of available checks."""

    host: Host
    span: SpanName
    start_ms: Annotated[Moment, Meta(description="a whole multiple of the span's length")]
    checks: Count
    failures: Count
    covers_ms: Sum
    down_ms: Annotated[Sum, Meta(description="the part of coversMs that failed checks stand for")]
    responses: Count
    responses_us: Sum
    phase_counts: Annotated[FiveCounts, Meta(description=f"of {', '.join(PHASES)}")]
    phases_us: Annotated[FiveSums, Meta(description="sums, in the same order")]
    shortest_us: Time | None = None
    longest_us: Time | None = None
    last_failure_ms: Moment | None = None
    statuses: dict[str, Count] = field(default_factory=dict)
    causes: dict[Cause, Count] = field(default_factory=dict)
    times: Annotated[Packed, Meta(description="of a minute: all response times, ascending, 32 bit little-endian")] = b""
    sketch: Annotated[Packed, Meta(description="of hours and days: DDSketch's buckets")] = b""

    def __post_init__(self) -> None:
        _test_host(self)
        length_ms = SPANS[self.span].length_ms
        _require(self.start_ms % length_ms == 0, f"startMs must be a whole multiple of {length_ms}")
        self._test_counts(length_ms)
        if self.span == "minute":
            self._test_times()
        else:
            self._test_sketch()

    def _test_counts(self, length_ms: int) -> None:
        good = self.checks - self.failures
        _require(good >= 0, "failures must not be more than checks")
        _require(self.down_ms <= self.covers_ms, "downMs must not be more than coversMs")
        _require(self.checks <= self.covers_ms, "coversMs must be at least 1 a check")
        _require(self.responses <= good, "responses must be of available checks")
        _require(max(self.phase_counts) <= good, "phaseCounts must be of available checks")
        _require(all(map(_status_is_fit, self.statuses)), "statuses must be named by integers from 1 to 999")
        _require(sum(self.statuses.values()) <= self.checks, "statuses must not be more than checks")
        _require(sum(self.causes.values()) == self.failures, "causes must be as many as failures")
        failed_ms = self.last_failure_ms
        _require((failed_ms is None) == (self.failures == 0), "lastFailureMs must be there when a check failed")
        inside = failed_ms is None or self.start_ms <= failed_ms < self.start_ms + length_ms
        _require(inside, "lastFailureMs must lie in the span")

    def _test_ends(self, first: int | None, last: int | None, place: Any) -> None:
        """`place` tells where a time lies, as `first` and `last` do."""
        if self.shortest_us is None or self.longest_us is None:
            _require(not self.responses and self.shortest_us is self.longest_us, "shortestUs and longestUs must be there")
            return
        is_right = self.responses > 0 and (place(self.shortest_us), place(self.longest_us)) == (first, last)
        _require(is_right, "shortestUs and longestUs must be those of the response times")
        least, most = self.shortest_us * self.responses, self.longest_us * self.responses
        _require(least <= self.responses_us <= most, "responsesUs must lie between the shortest and the longest")

    def _test_times(self) -> None:
        _require(not self.sketch, "sketch must be empty: a minute has times")
        _require(len(self.times) == TIME_BYTES * self.responses, "times must be as many as responses, of four bytes each")
        times = times_of(self.times)
        _require(list(times) == sorted(times), "times must be ascending")
        self._test_ends(times[0] if times else None, times[-1] if times else None, lambda time_us: time_us)
        _require(sum(times) == self.responses_us, "responsesUs must be the sum of times")

    def _test_sketch(self) -> None:
        from monitoring import sketch  # late: its buckets take a while

        _require(not self.times, "times must be empty: hours and days have a sketch")
        counts = sketch.read(self.sketch)
        _require(sketch.count(counts) == self.responses, "sketch must count all responses")
        first, last = sketch.ends(counts) or (None, None)
        self._test_ends(first, last, sketch.bucket)

    @classmethod
    def of(cls, one: SiteSummary) -> "SummaryMessage":
        from monitoring import sketch

        found = one.summary
        is_minute = one.span is Span.MINUTE
        return cls(
            host=one.host,
            span=one.span.name.lower(),  # type: ignore[arg-type]  # it is one of those
            start_ms=one.start_ms,
            checks=found.checks,
            failures=found.failures,
            covers_ms=found.covers_ms,
            down_ms=found.down_ms,
            responses=found.responses,
            responses_us=found.responses_us,
            phase_counts=found.phase_counts,  # type: ignore[arg-type]  # there are five
            phases_us=found.phases_us,  # type: ignore[arg-type]
            shortest_us=found.shortest_us,
            longest_us=found.longest_us,
            last_failure_ms=found.last_failure_ms,
            statuses={str(status): count for status, count in found.statuses.items()},
            causes=dict(found.causes),
            times=packed_times(found.times) if is_minute else b"",
            sketch=b"" if is_minute else sketch.pack(found.sketch),
        )

    def site_summary(self) -> SiteSummary:
        from monitoring import sketch

        summary = Summary(
            checks=self.checks,
            failures=self.failures,
            covers_ms=self.covers_ms,
            down_ms=self.down_ms,
            responses=self.responses,
            responses_us=self.responses_us,
            shortest_us=self.shortest_us,
            longest_us=self.longest_us,
            phase_counts=self.phase_counts,
            phases_us=self.phases_us,
            last_failure_ms=self.last_failure_ms,
            statuses={int(status): count for status, count in self.statuses.items()},
            causes=self.causes,
            times=times_of(self.times),
            sketch=sketch.unpack(self.sketch),
        )
        return SiteSummary(self.host, SPANS[self.span], self.start_ms, summary)


def _require(is_right: bool, rule: str) -> None:
    if not is_right:
        raise ValueError(rule)


def _status_is_fit(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text)) == text and 1 <= int(text) <= 999


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


# Requests of writers


class Located(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Where what is written was measured; absent: at the location without a name."""

    location: Location | None = None

    def __post_init__(self) -> None:
        if self.location is not None:
            _must_be_name("location", self.location, names.LONGEST_LOCATION)


class WriteRequest(Located, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Points to store."""

    checks: Annotated[list[NewCheck], Meta(max_length=MOST_POINTS)] = field(default_factory=list)  # type: ignore[valid-type]
    alerts: Annotated[list[NewAlert], Meta(max_length=MOST_POINTS)] = field(default_factory=list)
    summaries: Annotated[list[SummaryMessage], Meta(max_length=MOST_POINTS)] = field(default_factory=list)


class VerifyRequest(Located, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The name of a monitor's local file."""

    file: Marker

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(_MARKER.fullmatch(self.file) is not None, "file must be 1 to 64 letters, digits, _ or -")


class RecordMessage(Struct, rename="camel"):
    """How far a local file has delivered. The times are water marks, in milliseconds; 0: none."""

    delivery: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    newest_ms: WaterMark
    summarised_ms: WaterMark

    @classmethod
    def of(cls, record: DeliveryRecord) -> "RecordMessage":
        return cls(record.delivery, record.newest_ms, record.summarised_ms)

    def record(self) -> DeliveryRecord:
        return DeliveryRecord(self.delivery, self.newest_ms, self.summarised_ms)


class RecordRequest(VerifyRequest, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What the database is to remember of a local file."""

    record: RecordMessage


# Answers


class StoredAnswer(Struct):
    """How many points were stored."""

    stored: int = 0


class VerifyAnswer(Struct):
    """What the database was last told of the file; null: nothing."""

    record: RecordMessage | None


class ResponseTimesMessage(Struct):
    """Microseconds."""

    mean: float
    min: int
    max: int
    p50: int
    p95: int
    p99: int

    @classmethod
    def of(cls, took: ResponseTimes) -> "ResponseTimesMessage":
        return cls(took.mean_us, took.min_us, took.max_us, took.p50_us, took.p95_us, took.p99_us)


class StatsMessage(Struct, rename="camel"):
    """Statistics of a site. `availability` in percent is for people, the rest is exact; `trend` is mean and failures."""

    host: str
    checks: int
    available: int
    covered_ms: int
    available_ms: int
    availability: Percent | None
    response_us: ResponseTimesMessage | None
    phases_us: dict[str, float]
    statuses: dict[str, int]
    causes: dict[Cause, int]
    last_failure_ms: int | None
    trend: list[tuple[float | None, int]]

    @classmethod
    def of(cls, site: SiteStats) -> "StatsMessage":
        return cls(
            host=site.host,
            checks=site.checks,
            available=site.available,
            covered_ms=site.covered_ms,
            available_ms=site.available_ms,
            availability=100 * site.available_ms / site.covered_ms if site.covered_ms else None,
            response_us=None if site.response is None else ResponseTimesMessage.of(site.response),
            phases_us=dict(site.phases_us),
            statuses={str(status): count for status, count in sorted(site.statuses.items())},
            causes=dict(site.causes),
            last_failure_ms=site.last_failure_ms,
            trend=[(mark.mean_us, mark.failures) for mark in site.trend],
        )

    def stats(self) -> SiteStats:
        return SiteStats(
            host=self.host,
            checks=self.checks,
            available=self.available,
            covered_ms=self.covered_ms,
            available_ms=self.available_ms,
            response=None if self.response_us is None else ResponseTimes(*msgspec.structs.astuple(self.response_us)),
            phases_us=self.phases_us,
            statuses={int(status): count for status, count in self.statuses.items()},
            causes=self.causes,
            last_failure_ms=self.last_failure_ms,
            trend=tuple(Bucket(mean_us, failures) for mean_us, failures in self.trend),
        )


class StateMessage(Struct, rename="camel"):
    """Where a site stands: its last check and last failure, and where its latest runs of good and failed ones begin."""

    host: str
    last_ms: int
    last_covers_ms: int
    last_available: bool
    last_failure_ms: int | None
    good_since_ms: int | None
    failing_since_ms: int | None
    detail: str

    @classmethod
    def of(cls, host: str, found: History) -> "StateMessage":
        return cls(host, *(getattr(found, name) for name in cls.__struct_fields__[1:]))

    def history(self) -> History:
        return History(*msgspec.structs.astuple(self)[1:])


class WindowAnswer(Struct, rename={"from_ms": "from", "until_ms": "until"}, kw_only=True):
    """What was asked about, half open, in milliseconds."""

    from_ms: int
    until_ms: int


class StatsAnswer(WindowAnswer, kw_only=True):
    """Of each site that has a check in the window, by name."""

    exact: bool
    sites: list[StatsMessage]


class ChecksAnswer(WindowAnswer, kw_only=True):
    """In order of time and host."""

    checks: list[Check]  # type: ignore[valid-type]


class AlertsAnswer(WindowAnswer, kw_only=True):
    """In order of time and host."""

    alerts: list[AlertMessage]


class LastAlertsAnswer(Struct):
    """The newest of each site."""

    alerts: list[AlertMessage]


class StatesAnswer(Struct):
    """Of each site, by its checks before a moment."""

    sites: list[StateMessage]


class TimeAnswer(Struct, rename="camel"):
    """The newest time of any check or alert; null: there is none."""

    time_ms: int | None


class MissingAnswer(Struct):
    """How many checks are known by summaries only."""

    missing: int


class CountsAnswer(Struct):
    """How many checks of each site."""

    counts: dict[str, int]


class LocationsAnswer(Struct):
    """Those that have points; "" is the one without a name."""

    locations: list[str]


class KnownAnswer(Struct):
    """Has any monitor written?"""

    known: bool


class RefusedAnswer(Struct, rename="camel"):
    """Why not. Of points that the database will never take: how many it dropped (null: unknown), and by which field."""

    error: str
    dropped: int | None = None
    field: str = ""
    by_age: bool = False


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


_AT = re.compile(r"(?s)(.*) - at `(?:key in )?\$\.?(.*)`")


def plainly(error: msgspec.ValidationError) -> str:
    """The path of the wrong value, and the rule."""
    text, path = str(error), ""
    if found := _AT.fullmatch(text):
        text, path = found[1], found[2]
    words = text[:1].lower() + text[1:].replace("`", "")
    whole = f"{path}: {words}" if path else words
    return "".join(letter if letter.isprintable() else " " for letter in whole)[:LONGEST_WORDS]
