"""The schema of the points: values to lines of InfluxDB's line protocol, and rows to values. Pure.

Each site is a series by the tag `host` (and `location`, if the monitor has one). Times are integer milliseconds. Lines are
formatted by hand, because there is one for every check and a generic serialiser takes ten times as long.
"""

import dataclasses
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitoring.errors import StoreRefused
from monitoring.fields import CHECK_FIELDS, LONGEST_DETAIL, Kind, check_of, values
from monitoring.models import PHASES, Alert, AlertType, Cause, CheckResult, ResponseTimes
from monitoring.names import is_name
from monitoring.statistics.summary import TIMES, SiteSummary, Span, Summary, packed, site_stats, unpacked
from monitoring.storage.base import DeliveryRecord

CHECKS = "website_availability"
ALERTS = "website_alerts"
SUMMARIES: Mapping[Span, str] = {Span.MINUTE: f"{CHECKS}_1m", Span.HOUR: f"{CHECKS}_1h", Span.DAY: f"{CHECKS}_1d"}
RECORDS = "website_monitor"
"""The measurement with the records of delivery, by the tag `file`."""

RECORD_TIME_MS = 4_102_444_800_000
"""The time of every record (2100). So it stays one point, and no retention policy drops it."""

ALERT_FIELDS = ("type", "startDate", "endDate", "availability", "cause", "detail")
RECORD_FIELDS = ("proof", "delivery", "newest", "summarised")

WHOLE_CHECK = ", ".join(("available", *(field.point for field in CHECK_FIELDS)))
"""The fields that `check_from` reads, in its order."""
COUNTED_CHECK = ", ".join(("available", "covers", "status", "responseTime", "cause", *PHASES, "maintenance"))
"""The fields that `summary_from` reads, in its order."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_TEXT_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})

Row = Sequence[Any]
"""One row of an answer: its time in milliseconds, then its fields; None for one that is not there."""

US_PER_S = 1e6

_BYTES = {"times": bytes, "sketch": bytes}
Packed = msgspec.defstruct(
    "Packed",
    [(it.name, _BYTES.get(it.name, it.type)) for it in dataclasses.fields(Summary)],
    array_like=True,
)
"""The result of `summary.packed` as a JSON array."""

_WRITTEN = {
    Kind.MILLISECONDS: "=%di",
    Kind.INTEGER: "=%di",
    Kind.MICROSECONDS: "=%de-6",  # seconds: exact, and three times faster than a division
    Kind.CAUSE: '="%s"',
    Kind.TEXT: '="%s"',
}
_ABSENT = "%.0s"
"""Formats any value as nothing."""

_CAUSE = next(place for place, field in enumerate(CHECK_FIELDS) if field.kind is Kind.CAUSE)
_TEXTS = [place for place, field in enumerate(CHECK_FIELDS) if field.kind is Kind.TEXT]
_TIMES = [place for place, field in enumerate(CHECK_FIELDS) if field.kind is Kind.MICROSECONDS]
_ALWAYS = [place for place, field in enumerate(CHECK_FIELDS) if not field.optional and field.kind is not Kind.TEXT]
"""The fields that each check has."""

_TYPES = {Kind.MILLISECONDS: int, Kind.INTEGER: int, Kind.MICROSECONDS: float, Kind.CAUSE: str, Kind.TEXT: str}
_CheckRow = msgspec.defstruct("CheckRow", [(it.point, _TYPES[it.kind] | None) for it in CHECK_FIELDS], array_like=True)
"""What InfluxDB gives for the fields of a check."""


class _AlertRow(msgspec.Struct, array_like=True):
    """What it gives for `ALERT_FIELDS`."""

    type: AlertType
    start: str
    end: str | None
    availability: float
    cause: str | None
    detail: str | None


class PointWriter:
    """Writes lines for the points of one location ("": without a tag).

    Each host is escaped once, and checks with the same fields share a format. Methods raise `StoreRefused` for a host that
    cannot be a tag.
    """

    def __init__(self, location: str = "") -> None:
        self._location = f",location={_tag(location)}" if location else ""
        self._tags: dict[str, str] = {}
        self._formats: dict[tuple[type, ...], str] = {}

    def check(self, check: CheckResult) -> str:
        found = values(check)
        if found[_CAUSE] is not None:
            found = _escaped(found)
        shape = tuple(map(type, found))
        line = self._formats.get(shape) or self._formats.setdefault(shape, _format_of(found))
        return line % (self._tags.get(check.host) or self.tags(check.host), *found, check.time_ms)

    def alert(self, alert: Alert) -> str:
        fields = f'type="{alert.type}",startDate="{to_rfc3339(alert.start_ms)}",availability={float(alert.availability)!r}'
        if alert.end_ms is not None:
            fields += f',endDate="{to_rfc3339(alert.end_ms)}"'
        if alert.cause is not None:
            fields += f',cause="{alert.cause}"'
        if detail := _text(alert.detail[:LONGEST_DETAIL]):
            fields += f',detail="{detail}"'
        return f"{ALERTS},{self.tags(alert.host)} {fields} {alert.time_ms}"

    def summary(self, one: SiteSummary) -> str:
        fields = ",".join((*_plain_fields(one.summary), f'packed="{_text(pack(one.summary))}"'))
        return f"{SUMMARIES[one.span]},{self.tags(one.host)} {fields} {one.start_ms}"

    def tags(self, host: str) -> str:
        known = self._tags.get(host)
        if known is None:
            known = self._tags[host] = f"host={_tag(host)}{self._location}"
        return known


def record_line(marker: str, *, proof: str = "", record: DeliveryRecord | None = None) -> str:
    """A line with the record of a local file, or with the `proof` (letters and digits). What it leaves out stays."""
    fields = [f'proof="{proof}"'] if proof else []
    if record is not None:
        fields += [f"delivery={record.delivery}i", f"newest={record.newest_ms}i", f"summarised={record.summarised_ms}i"]
    return f"{RECORDS},file={_tag(marker)} {','.join(fields)} {RECORD_TIME_MS}"


def line_again(source: str, tags: Mapping[str, str], field: str, value: int | str, time_ms: int) -> str:
    """A line with a point that is there already, and one of its fields: an integer or plain letters."""
    series = ",".join((source, *(f"{name}={_tag(text)}" for name, text in sorted(tags.items()) if text)))
    written = f"{value:d}i" if isinstance(value, int) else f'"{value}"'
    return f"{series} {field}={written} {time_ms}"


def pack(summary: Summary) -> str:
    """All of a summary as text, for programs."""
    return msgspec.json.encode(Packed(*packed(summary))).decode()


def _plain_fields(summary: Summary) -> Iterator[str]:
    """The fields for people. Seconds are floats. What is unknown is absent, but texts are always there.

    `covers` is without maintenance, so that people's `down / covers` stays right.
    """
    found = site_stats("", summary, ())
    whole = {
        "checks": summary.checks,
        "failures": summary.failures,
        "covers": summary.covers_ms - summary.maintenance_ms,
        "down": summary.down_ms,
        "maintenance": summary.maintenance_ms or None,
        "lastFailure": summary.last_failure_ms,
    }
    times_us = dict(found.phases_us)
    if found.response:
        times_us |= {name.removesuffix("_us"): getattr(found.response, name) for name in ResponseTimes.__slots__}
    yield from (f"{name}={number}i" for name, number in whole.items() if number is not None)
    yield from (f"{name}={took_us / US_PER_S!r}" for name, took_us in times_us.items())
    yield f'statuses="{_counted(summary.statuses)}"'
    yield f'causes="{_counted(summary.causes)}"'


def _counted(counts: Mapping[Any, int]) -> str:
    """`200:29 503:1`, the most frequent first."""
    return " ".join(f"{what}:{count}" for what, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _format_of(found: Sequence[Any]) -> str:
    """The format of lines for checks that have the same fields as this one."""
    available = found[_CAUSE] is None
    written = [
        _ABSENT if value is None or (available and place in _TEXTS) else f",{field.point}{_WRITTEN[field.kind]}"
        for place, (field, value) in enumerate(zip(CHECK_FIELDS, found, strict=True))
    ]
    return f"{CHECKS},%s available={int(available)}i{''.join(written)} %d"


def _escaped(found: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of a failed check, with texts escaped and None for empty ones."""
    fit = list(found)
    for place in _TEXTS:
        fit[place] = _text(found[place][:LONGEST_DETAIL]) or None
    return tuple(fit)


def _text(text: str) -> str:
    """A text escaped for quotes, without lone surrogates."""
    return text.encode(errors="replace").decode().translate(_TEXT_ESCAPES)


def _tag(text: str) -> str:
    if not is_name(text):
        raise StoreRefused(f"InfluxDB cannot hold this name: {ascii(text)[:120]}", dropped=1)
    return text.translate(_TAG_ESCAPES)


def to_rfc3339(time_ms: int) -> str:
    """UTC with milliseconds: 2026-01-01T00:00:00.000Z. Integer arithmetic, nothing is rounded."""
    return (_EPOCH + time_ms * _MILLISECOND).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_rfc3339(text: str) -> int:
    """The milliseconds of `to_rfc3339`. Raises ValueError for anything that is no date with a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a date without a time zone")
    return (moment - _EPOCH) // _MILLISECOND


# Reading. A database may hold points of other writers, so rows that are no checks or alerts are skipped.


def check_from(host: str, row: Row) -> CheckResult | None:
    """The check of a row of `WHOLE_CHECK`; None while it lacks fields that each check has.

    InfluxDB stores a point field by field, so a reader may see half of it.
    """
    time_ms, available, *found = row
    try:
        read: list[Any] = list(msgspec.structs.astuple(msgspec.convert(found, _CheckRow)))
    except msgspec.ValidationError:
        return None
    if available is None or any(read[place] is None for place in _ALWAYS):
        return None
    for place in _TIMES:
        if read[place] is not None:
            read[place] = round(read[place] * US_PER_S)
    for place in _TEXTS:
        read[place] = read[place] or ""
    read[_CAUSE] = None if available else _cause(read[_CAUSE])
    return check_of(host, time_ms, read)


def alert_from(host: str, row: Row) -> Alert | None:
    """The alert or recovery of a row of `ALERT_FIELDS`."""
    time_ms, *values = row
    try:
        found = msgspec.convert(values, _AlertRow)
        return Alert(
            type=found.type,
            host=host,
            time_ms=time_ms,
            start_ms=from_rfc3339(found.start),
            end_ms=from_rfc3339(found.end) if found.end else None,
            availability=found.availability,
            cause=_cause(found.cause) if found.cause else None,
            detail=found.detail or "",
        )
    except (msgspec.ValidationError, ValueError):
        return None


_read_packed = msgspec.json.Decoder(Packed).decode


def unpack(text: Any) -> Summary | None:
    """The summary of a field `packed`."""
    try:
        found = unpacked(msgspec.structs.astuple(_read_packed(text)))
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None
    counted = len(found.times) if found.times or not found.sketch else found.responses
    return found if counted == found.responses and len(found.phase_counts) == len(found.phases_us) == len(PHASES) else None


def summary_from(rows: Sequence[Row]) -> Summary:
    """The summary of rows of `COUNTED_CHECK`. Raises TypeError where fields have other types."""
    known = [row for row in rows if None not in row[1:4]]  # skips points that are half written: see `check_from`
    judged = [row for row in known if not row[-1]]
    good, failed = [row for row in judged if row[1]], [row for row in judged if not row[1]]
    times = sorted(_microseconds(row[4] for row in good))
    phases = [_microseconds(row[6 + place] for row in good) for place in range(len(PHASES))]
    return Summary(
        checks=len(known),
        failures=len(failed),
        covers_ms=sum(row[2] for row in known),
        down_ms=sum(row[2] for row in failed),
        responses=len(times),
        responses_us=sum(times),
        shortest_us=times[0] if times else None,
        longest_us=times[-1] if times else None,
        phase_counts=tuple(map(len, phases)),
        phases_us=tuple(map(sum, phases)),
        last_failure_ms=max((row[0] for row in failed), default=None),
        statuses=dict(Counter(row[3] for row in judged if row[3])),
        causes=dict(Counter(_cause(row[5]) for row in failed)),
        times=array(TIMES, times),
        maintenance=len(known) - len(judged),
        maintenance_ms=sum(row[2] for row in known if row[-1]),
    )


def _microseconds(seconds: Iterable[float | None]) -> list[int]:
    return [round(value * US_PER_S) for value in seconds if value is not None]


def _cause(found: Any) -> Cause:
    try:
        return Cause(found)
    except ValueError:
        return Cause.ERROR
