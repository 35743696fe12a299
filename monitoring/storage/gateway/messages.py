"""The JSON messages between a gateway and its clients: each value, its name and its bounds, declared once.

Validation, the OpenAPI description, encoding and decoding follow from these structs. A check has the fields of
`fields.CHECK_FIELDS`. Integers stay integers and floats keep every digit, so numbers from a gateway equal those of the store
behind it.

A gateway refuses unknown keys in what it receives. Its clients ignore them, because a newer gateway may add some.
"""

import re
from array import array
from operator import attrgetter
from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
from msgspec import Meta, Struct

from monitoring import fields, names
from monitoring.fields import CHECK_FIELDS, LONGEST_DETAIL, LONGEST_TIME_US, NEWEST_MS, OLDEST_MS, Field, Kind
from monitoring.models import PHASES, AlertType, Cause, CheckResult, SiteStats
from monitoring.statistics.summary import TIMES, SiteSummary, Span, packed, unpack_times, unpacked

LAST_MS = 7_258_118_400_000
"""2200-01-01: no window ends later."""

LARGEST_SUM = 10**15
"""Milliseconds or microseconds. The sum of some thousands of these fits into 64 bits."""

MOST_COUNT = 10**9
"""Checks of one summary: ten thousand a second for a day."""

LONGEST_PACKED = 4 << 20
"""Bytes of the response times, or of the sketch, of one summary."""

TIME_BYTES = array(TIMES).itemsize

LONGEST_WORDS = 300
"""Characters of the words about a wrong value."""


def _name(longest: int) -> Meta:
    return Meta(min_length=1, max_length=longest, extra_json_schema={"pattern": names.PATTERN})


Moment = Annotated[int, Meta(ge=OLDEST_MS, le=NEWEST_MS - 1)]
Count = Annotated[int, Meta(ge=0, le=MOST_COUNT)]
Sum = Annotated[int, Meta(ge=0, le=LARGEST_SUM)]
Time = Annotated[int, Meta(ge=0, le=LONGEST_TIME_US)]
Status = Annotated[int, Meta(ge=1, le=999)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Host = Annotated[str, _name(names.LONGEST_HOST)]
Location = Annotated[str, _name(names.LONGEST_LOCATION)]
Packed = Annotated[bytes, Meta(max_length=LONGEST_PACKED)]
SpanName = Literal["minute", "hour", "day"]
SPANS: dict[SpanName, Span] = {"minute": Span.MINUTE, "hour": Span.HOUR, "day": Span.DAY}
SPAN_NAMES = {span: name for name, span in SPANS.items()}

Value = TypeVar("Value")


def require(is_right: bool, rule: str) -> None:
    if not is_right:
        raise ValueError(rule)


def must_be_name(key: str, text: str, longest: int) -> None:
    """Test what no pattern can say that JSON Schema and Python understand alike."""
    require(names.is_name(text, longest), f"{key} must hold {names.CHARACTERS}")


# JSON


class Malformed(ValueError):
    """The path of a wrong value and what is wrong with it. Quotes at most a few characters of the value."""


def decode(body: bytes, kind: type[Value]) -> Value:
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


class Message(Struct, rename="camel"):
    """A value of `monitoring.models` with the same fields."""

    @classmethod
    def of(cls, model: object) -> Self:
        """Validates nothing: the receiver does."""
        return cls(*attrgetter(*cls.__struct_fields__)(model))

    def to(self, model: type[Value]) -> Value:
        return model(**msgspec.structs.asdict(self))


# Checks


def check_field(field: Field) -> tuple[str, Any] | tuple[str, Any, Any]:
    """A field of a check for `msgspec.defstruct`, by what the table of fields says of it."""
    if field.kind is Kind.CAUSE:
        known: Any = Cause
    elif field.kind is Kind.TEXT:
        known = Annotated[str, Meta(max_length=field.high)]
    else:
        known = Annotated[int, Meta(ge=field.low, le=field.high)]
    described = Annotated[known, Meta(description=field.meaning)]
    if field.optional:
        return field.message, described | None, None
    return (field.message, described, "") if field.kind is Kind.TEXT else (field.message, described)


def test_host(message: Any) -> None:
    """For `__post_init__`."""
    must_be_name("host", message.host, names.LONGEST_HOST)


_CHECK = [("host", Host), ("timeMs", Moment), *map(check_field, CHECK_FIELDS)]

Check = msgspec.defstruct("Check", _CHECK)
"""A check as it is read: `host`, `timeMs`, and the fields of `CHECK_FIELDS` in their order."""

NewCheck = msgspec.defstruct("NewCheck", _CHECK, namespace={"__post_init__": test_host}, forbid_unknown_fields=True)
"""The same as it is written."""


def check_message(check: CheckResult) -> Struct:
    return Check(check.host, check.time_ms, *fields.values(check))


def check_of(message: Any) -> CheckResult:
    host, time_ms, *values = msgspec.structs.astuple(message)
    return fields.check_of(host, time_ms, values)


# Alerts


class AlertMessage(Message, rename="camel"):
    """A state change."""

    type: AlertType
    host: Host
    time_ms: Moment
    start_ms: Moment
    availability: Percent
    end_ms: Moment | None = None
    cause: Cause | None = None
    detail: Annotated[str, Meta(max_length=LONGEST_DETAIL, description="the failure in words")] = ""


class NewAlert(AlertMessage, rename="camel", forbid_unknown_fields=True):
    """The same as it is written."""

    def __post_init__(self) -> None:
        test_host(self)
        require(self.type is AlertType.RECOVERY or self.end_ms is None, "endMs must be null: an alert has no end")


# Summaries


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
    shortest_us: Time | None
    longest_us: Time | None
    phase_counts: Annotated[tuple[Count, Count, Count, Count, Count], Meta(description=f"of {', '.join(PHASES)}")]
    phases_us: Annotated[tuple[Sum, Sum, Sum, Sum, Sum], Meta(description="sums, in the same order")]
    last_failure_ms: Moment | None
    statuses: dict[Status, Count]
    causes: dict[Cause, Count]
    times: Annotated[Packed, Meta(description="of a minute: all response times, ascending, 32 bit little-endian")]
    sketch: Annotated[Packed, Meta(description="of hours and days: DDSketch's buckets")]
    maintenance: Annotated[Count, Meta(description="the part of checks that was made during maintenance")] = 0
    maintenance_ms: Annotated[Sum, Meta(description="the part of coversMs that these stand for")] = 0

    @classmethod
    def of(cls, one: SiteSummary) -> Self:
        return cls(one.host, SPAN_NAMES[one.span], one.start_ms, *packed(one.summary))

    def site_summary(self) -> SiteSummary:
        host, span, start_ms, *values = msgspec.structs.astuple(self)
        return SiteSummary(host, SPANS[span], start_ms, unpacked(values))

    def __post_init__(self) -> None:
        test_host(self)
        self._test_counts(SPANS[self.span].length_ms)
        if self.span == "minute":
            self._test_times()
        else:
            self._test_sketch()

    def _test_counts(self, length_ms: int) -> None:
        judged, failed_ms = self.checks - self.maintenance, self.last_failure_ms
        good = judged - self.failures
        require(self.start_ms % length_ms == 0, f"startMs must be a whole multiple of {length_ms}")
        require(good >= 0, "failures and maintenance must not be more than checks")
        judged_ms = self.covers_ms - self.maintenance_ms
        require(self.down_ms <= judged_ms, "downMs and maintenanceMs must not be more than coversMs")
        require(self.maintenance <= self.maintenance_ms, "maintenanceMs must be at least 1 a check in maintenance")
        require(self.checks <= self.covers_ms, "coversMs must be at least 1 a check")
        require(self.responses <= good, "responses must be of available checks")
        require(max(self.phase_counts) <= good, "phaseCounts must be of available checks")
        require(sum(self.statuses.values()) <= judged, "statuses must not be more than checks")
        require(sum(self.causes.values()) == self.failures, "causes must be as many as failures")
        require((failed_ms is None) == (self.failures == 0), "lastFailureMs must be there when a check failed")
        inside = failed_ms is None or self.start_ms <= failed_ms < self.start_ms + length_ms
        require(inside, "lastFailureMs must lie in the span")

    def _test_times(self) -> None:
        require(not self.sketch, "sketch must be empty: a minute has times")
        require(len(self.times) == TIME_BYTES * self.responses, "times must be as many as responses, of four bytes each")
        times = unpack_times(self.times)
        require(list(times) == sorted(times), "times must be ascending")
        self._test_ends((times[0], times[-1]) if times else None, lambda time_us: time_us)
        require(sum(times) == self.responses_us, "responsesUs must be the sum of times")

    def _test_sketch(self) -> None:
        from monitoring.statistics import sketch

        require(not self.times, "times must be empty: hours and days have a sketch")
        counts = sketch.read(self.sketch)
        require(sketch.count(counts) == self.responses, "sketch must count all responses")
        self._test_ends(sketch.ends(counts), sketch.bucket)

    def _test_ends(self, ends: tuple[int, int] | None, place: Any) -> None:
        """`ends` are the places of the shortest and the longest time (None: no times); `place` gives that of a time."""
        if self.shortest_us is None or self.longest_us is None:
            require(ends is None and self.shortest_us is self.longest_us, "shortestUs and longestUs must be there")
            return
        is_right = (place(self.shortest_us), place(self.longest_us)) == ends
        require(is_right, "shortestUs and longestUs must be those of the response times")
        least, most = self.shortest_us * self.responses, self.longest_us * self.responses
        require(least <= self.responses_us <= most, "responsesUs must lie between the shortest and the longest")


# Statistics


class ResponseTimesMessage(Struct, rename=lambda name: name.removesuffix("_us")):
    """Microseconds."""

    mean_us: float
    min_us: int
    max_us: int
    p50_us: int
    p95_us: int
    p99_us: int


class TrendMark(Struct, array_like=True):
    """What a part of the window adds up to: mean response time, failures, checks, 95th percentile, the main cause.

    Times are microseconds; null: there is none. A gateway of an earlier version ends with the failures.
    """

    mean_us: float | None
    failures: int
    checks: int = 0
    p95_us: int | None = None
    cause: Cause | None = None


class StatsMessage(Message, rename="camel"):
    """Statistics of a site. `availability` in percent is for people, the rest is exact."""

    host: str
    checks: int
    available: int
    covered_ms: int
    available_ms: int
    response: ResponseTimesMessage | None = msgspec.field(name="responseUs")
    phases_us: dict[str, float]
    statuses: dict[int, int]
    causes: dict[Cause, int]
    last_failure_ms: int | None
    trend: list[TrendMark]
    maintenance: int = 0
    maintenance_ms: int = 0
    availability: Percent | None = None

    @classmethod
    def of(cls, model: object) -> Self:
        found = msgspec.convert(model, cls, from_attributes=True)
        judged_ms = found.covered_ms - found.maintenance_ms
        found.availability = 100 * found.available_ms / judged_ms if judged_ms else None
        return found

    def stats(self) -> SiteStats:
        return msgspec.convert(self, SiteStats, from_attributes=True)


class StateMessage(Message, rename="camel"):
    """Where a site stands: its last check and last failure, and where its latest runs of good and failed ones begin."""

    last_ms: int
    last_covers_ms: int
    last_available: bool
    last_failure_ms: int | None
    good_since_ms: int | None
    failing_since_ms: int | None
    detail: str
    certificate_s: int | None = None
    last_maintenance_ms: int | None = None
