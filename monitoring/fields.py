"""A check, and the one table of its fields: what SQL, InfluxDB and JSON call each of them, its unit and its bounds.

Rows, points, messages, their validation and their description follow from `CHECK_FIELDS`, and so do the columns that are
added to files of earlier versions. To store a new field everywhere:

1. Add an attribute at the end of `ProbeResult` and of `CheckResult`.
2. Add a line at the end of `_PLAIN`, with `optional=True` (stored checks lack the field) and with `since`, the first version
   of the local file that has the column: `migrations.NEWEST` rises by one.
3. Measure the value and show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from operator import attrgetter, itemgetter
from typing import Any, ClassVar

PHASES = ("resolve", "connect", "tls", "processing", "transfer")
"""The parts of a check in order, named as blackbox_exporter names them."""


class Cause(StrEnum):
    """Why a check failed."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    STATUS = "status"
    CONTENT = "content"
    SLOW = "slow"
    REDIRECTS = "redirects"
    PROTOCOL = "protocol"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The outcome of one check, before it is assigned to a slot of the schedule.

    `status` is 0 without a response. `response_us` is the sum of the phases that ran, or None without a response.
    `phases_us` is in the order of `PHASES`, with None for a phase that did not run.
    `cause` is None exactly when the site was available. `detail` is text for people, free of secrets.
    `waited_us` is the time that requests waited inside the monitor; no other time here includes it.
    `certificate_s` is the earliest expiry date (Unix time) in the certificate chains, None if the check did not look.
    """

    status: int = 0
    response_us: int | None = None
    phases_us: tuple[int | None, int | None, int | None, int | None, int | None] = (None,) * 5
    cause: Cause | None = None
    detail: str = ""
    waited_us: int = 0
    certificate_s: int | None = None
    maintenance: ClassVar[None] = None  # not known yet

    def in_slot(self, host: str, time_ms: int, covers_ms: int, late_us: int) -> "CheckResult":
        """The check to store: this result in the slot at `time_ms`. The check started `late_us` after the slot."""
        return CheckResult(host, time_ms, covers_ms, late_us + self.waited_us, *_measured(self))


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A stored check: a `ProbeResult` with its site, its slot and the time that it stands for.

    `time_ms` is the slot, `covers_ms` the scheduled time that the check covers (interval x (1 + skipped slots)), `lag_us`
    the delay of its start after the slot. `maintenance` is 1 for a check during maintenance, which counts neither as up nor
    as down; otherwise None.
    """

    host: str
    time_ms: int
    covers_ms: int
    lag_us: int
    status: int = 0
    response_us: int | None = None
    phases_us: tuple[int | None, int | None, int | None, int | None, int | None] = (None,) * 5
    cause: Cause | None = None
    detail: str = ""
    certificate_s: int | None = None
    maintenance: int | None = None

    @property
    def available(self) -> bool:
        return self.cause is None


_measured = attrgetter(*CheckResult.__slots__[4:])  # after the four that `in_slot` is told


OLDEST_MS = 946_684_800_000
"""2000-01-01: earlier checks and alerts are invalid."""
NEWEST_MS = 4_102_444_800_000
"""2100-01-01: later checks and alerts are invalid. A fixed date, because the clocks of two machines may differ."""

LONGEST_SPAN_MS = 10**12
"""More than thirty years: longer than anything real, and still exact as a float."""

LONGEST_TIME_US = 2**32 - 1
"""More than an hour. Each response time is stored in four bytes."""

LONGEST_DETAIL = 300
"""Characters."""

CAUSES = tuple(Cause)
"""The index of a cause is its number in SQL: append new ones at the end."""


class Kind(Enum):
    """How a value is written. In InfluxDB, which has no units, people read times as seconds."""

    MILLISECONDS = "integer milliseconds everywhere"
    MICROSECONDS = "integer microseconds; float seconds in InfluxDB"
    INTEGER = "a plain integer"
    CAUSE = "its number in CAUSES in SQL; its word elsewhere"
    TEXT = "text; NULL or absent when empty"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `attribute` is its name in `CheckResult`; for a phase, `phase` is its index in `phases_us`.

    `low` and `high` are the bounds of an integer (inclusive); `high` is the greatest length of a text. `optional`: None is
    allowed. `since` is the first version of the local file that has the column (0: all have it).
    """

    attribute: str
    column: str
    point: str
    message: str
    kind: Kind
    low: int = 0
    high: int = LONGEST_SPAN_MS
    optional: bool = False
    phase: int | None = None
    meaning: str = ""
    since: int = 0


_PLAIN = (
    Field(*("covers_ms", "covers", "covers", "coversMs", Kind.MILLISECONDS), low=1, meaning="the schedule it stands for"),
    Field("lag_us", "lag", "lag", "lagUs", Kind.MICROSECONDS, meaning="how late it started after its slot"),
    Field("status", "status", "status", "status", Kind.INTEGER, high=999, meaning="HTTP status; 0 without a response"),
    Field(
        *("response_us", "response", "responseTime", "responseUs", Kind.MICROSECONDS),
        high=LONGEST_TIME_US,
        optional=True,
        meaning="from the start to the last byte; absent without a whole response",
    ),
    Field("cause", "cause", "cause", "cause", Kind.CAUSE, optional=True, meaning="why it failed; absent when available"),
    Field("detail", "detail", "detail", "detail", Kind.TEXT, high=LONGEST_DETAIL, meaning="the failure in words"),
    Field(
        *("certificate_s", "certificate", "certificate", "certificateS", Kind.INTEGER),
        optional=True,
        meaning="when the first certificate of the chain expires, in Unix seconds; only of checks that looked",
    ),
    Field(
        *("maintenance", "maintenance", "maintenance", "maintenance", Kind.INTEGER),
        low=1,
        high=1,
        optional=True,
        meaning="1: made during maintenance, and neither up nor down; else absent",
    ),
)

_PHASES = tuple(
    Field(
        "phases_us",
        name,
        name,
        f"{name}Us",
        Kind.MICROSECONDS,
        0,
        LONGEST_TIME_US,
        True,
        place,
        f"of the phase {name}",
    )
    for place, name in enumerate(PHASES)
)

CHECK_FIELDS: Sequence[Field] = (*_PLAIN, *_PHASES)
"""In the order of `values`: plain fields, then phases."""

CAUSE_NUMBERS: Mapping[Cause, int] = {cause: number for number, cause in enumerate(CAUSES)}

_plain_values = attrgetter(*(field.attribute for field in _PLAIN))
PLAIN_COUNT = len(_PLAIN)

_attributes = (*(field.attribute for field in _PLAIN), "phases_us")
_in_order_of_slots = itemgetter(*map(_attributes.index, CheckResult.__slots__[2:]))  # after host and time


def values(check: CheckResult) -> tuple[Any, ...]:
    """The values of a check in the order of `CHECK_FIELDS`."""
    return (*_plain_values(check), *check.phases_us)


def check_of(host: str, time_ms: int, row: Sequence[Any]) -> CheckResult:
    """The check with these values, which are in the order of `CHECK_FIELDS`."""
    resolve, connect, tls, processing, transfer = row[PLAIN_COUNT:]
    attributes = (*row[:PLAIN_COUNT], (resolve, connect, tls, processing, transfer))
    return CheckResult(host, time_ms, *_in_order_of_slots(attributes))  # keyword arguments take twice as long
