"""What a gateway and its clients say to each other, as JSON: each value, its name and its bounds declared once.

Validation, the OpenAPI description and both directions follow from these structs. A check has the fields of
`fields.CHECK_FIELDS`. Integers stay integers, and a float's JSON gives the same float again: so numbers that passed a
gateway equal those of the store behind it.

The structs of what is written are strict: an unknown key is refused. What is read may have keys that a newer gateway adds.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from monitoring import fields, names
from monitoring.fields import CHECK_FIELDS, Field, Kind
from monitoring.models import PHASES, Alert, AlertType, Cause, CheckResult
from monitoring.statistics.summary import SiteSummary, Span, Summary
from monitoring.storage.base import DeliveryRecord
from monitoring.storage.gateway.values import (
    MARKER,
    MOST_POINTS,
    SPANS,
    TIME_BYTES,
    Count,
    FiveCounts,
    FiveSums,
    Host,
    Location,
    Marker,
    Moment,
    Packed,
    Percent,
    SpanName,
    Sum,
    Time,
    WaterMark,
    must_be_name,
    packed_times,
    require,
    times_of,
)

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
    must_be_name("host", message.host, names.LONGEST_HOST)


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
        require(self.start_ms % length_ms == 0, f"startMs must be a whole multiple of {length_ms}")
        self._test_counts(length_ms)
        if self.span == "minute":
            self._test_times()
        else:
            self._test_sketch()

    def _test_counts(self, length_ms: int) -> None:
        good = self.checks - self.failures
        require(good >= 0, "failures must not be more than checks")
        require(self.down_ms <= self.covers_ms, "downMs must not be more than coversMs")
        require(self.checks <= self.covers_ms, "coversMs must be at least 1 a check")
        require(self.responses <= good, "responses must be of available checks")
        require(max(self.phase_counts) <= good, "phaseCounts must be of available checks")
        require(all(map(_status_is_fit, self.statuses)), "statuses must be named by integers from 1 to 999")
        require(sum(self.statuses.values()) <= self.checks, "statuses must not be more than checks")
        require(sum(self.causes.values()) == self.failures, "causes must be as many as failures")
        failed_ms = self.last_failure_ms
        require((failed_ms is None) == (self.failures == 0), "lastFailureMs must be there when a check failed")
        inside = failed_ms is None or self.start_ms <= failed_ms < self.start_ms + length_ms
        require(inside, "lastFailureMs must lie in the span")

    def _test_ends(self, first: int | None, last: int | None, place: Any) -> None:
        """`place` tells where a time lies, as `first` and `last` do."""
        if self.shortest_us is None or self.longest_us is None:
            require(not self.responses and self.shortest_us is self.longest_us, "shortestUs and longestUs must be there")
            return
        is_right = self.responses > 0 and (place(self.shortest_us), place(self.longest_us)) == (first, last)
        require(is_right, "shortestUs and longestUs must be those of the response times")
        least, most = self.shortest_us * self.responses, self.longest_us * self.responses
        require(least <= self.responses_us <= most, "responsesUs must lie between the shortest and the longest")

    def _test_times(self) -> None:
        require(not self.sketch, "sketch must be empty: a minute has times")
        require(len(self.times) == TIME_BYTES * self.responses, "times must be as many as responses, of four bytes each")
        times = times_of(self.times)
        require(list(times) == sorted(times), "times must be ascending")
        self._test_ends(times[0] if times else None, times[-1] if times else None, lambda time_us: time_us)
        require(sum(times) == self.responses_us, "responsesUs must be the sum of times")

    def _test_sketch(self) -> None:
        from monitoring import sketch  # late: its buckets take a while

        require(not self.times, "times must be empty: hours and days have a sketch")
        counts = sketch.read(self.sketch)
        require(sketch.count(counts) == self.responses, "sketch must count all responses")
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


def _status_is_fit(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text)) == text and 1 <= int(text) <= 999


# Requests of writers


class Located(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Where what is written was measured; absent: at the location without a name."""

    location: Location | None = None

    def __post_init__(self) -> None:
        if self.location is not None:
            must_be_name("location", self.location, names.LONGEST_LOCATION)


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
        require(MARKER.fullmatch(self.file) is not None, "file must be 1 to 64 letters, digits, _ or -")


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
