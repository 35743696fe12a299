"""A check, and the one table of its fields: what SQL, InfluxDB and JSON call each of them, its unit and its bounds.

Rows, points, messages, their validation and their description follow from `CHECK_FIELDS`. So do the columns that are added
to files of earlier versions. To store a new field everywhere, give `ProbeResult` and `CheckResult` an attribute, and
`_PLAIN` a line, all at the end. The line says `optional=True`, because stored checks lack the field, and by `since` which
version of the local file has its column first: one more than `migrations.NEWEST` was. Then measure it and show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from operator import attrgetter, itemgetter
from typing import Any

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
    """What one check saw, before it is given its place in the schedule.

    `status` is 0 without a response; `response_us` is None without one, else the sum of the phases that happened.
    `phases_us` stands in the order of `PHASES`, None for a phase that never ran.
    `cause` is None exactly when the site was available; `detail` is text for people, free of secrets.
    `waited_us` is how long requests waited inside the monitor before they began; it is in no other time here.
    `certificate_s` is when the first certificate of the chains that were sent expires (Unix time), if the check looked.
    """

    status: int = 0
    response_us: int | None = None
    phases_us: tuple[int | None, int | None, int | None, int | None, int | None] = (None,) * 5
    cause: Cause | None = None
    detail: str = ""
    waited_us: int = 0
    certificate_s: int | None = None

    def in_slot(self, host: str, time_ms: int, covers_ms: int, late_us: int) -> "CheckResult":
        """The check to store: this result at the time of its slot; the check started `late_us` after it."""
        seen = dict(zip(_SEEN, _seen(self), strict=True))
        return CheckResult(host, time_ms, covers_ms, late_us + self.waited_us, **seen)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A stored check: a `ProbeResult` with its site, its slot and the schedule it stands for.

    `time_ms` is the slot, `covers_ms` the schedule it covers (interval x (1 + skipped slots)), `lag_us` how late it really
    started. `maintenance` is 1 for a check made during maintenance, which is neither up nor down, else None.
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


_SEEN = tuple(name for name in CheckResult.__slots__ if name in ProbeResult.__slots__)
_seen = attrgetter(*_SEEN)


OLDEST_MS = 946_684_800_000
"""2000-01-01: no check or alert is older."""
NEWEST_MS = 4_102_444_800_000
"""2100-01-01: every check and alert is older. Fixed, because no machine's clock can tell when another one measured."""

LONGEST_SPAN_MS = 10**12
"""More than thirty years: whole in a float, and longer than anything real."""

LONGEST_TIME_US = 2**32 - 1
"""More than an hour. Response times are kept in four bytes each."""

LONGEST_DETAIL = 300
"""Characters."""

CAUSES = tuple(Cause)
"""A cause's place in here is its number in SQL: new ones are added at the end only."""


class Kind(Enum):
    """How a value is written. InfluxDB gets seconds in place of microseconds, because people read it and it has no units."""

    MILLISECONDS = "integer milliseconds everywhere"
    MICROSECONDS = "integer microseconds; float seconds in InfluxDB"
    INTEGER = "a plain integer"
    CAUSE = "its number in CAUSES in SQL; its word elsewhere"
    TEXT = "text; NULL or absent when empty"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `attribute` is that of `CheckResult`; for a phase, `phase` is its place in `phases_us`.

    `low` and `high` bound integers (inclusive), `high` the characters of a text. `optional`: None is allowed. `since` is the
    first version of the local file that has the column; 0: all have it.
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
        since=6,
        meaning="when the first certificate of the chain expires, in Unix seconds; only of checks that looked",
    ),
    Field(
        *("maintenance", "maintenance", "maintenance", "maintenance", Kind.INTEGER),
        low=1,
        high=1,
        optional=True,
        since=8,
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
"""In the order of `values`: plain fields first, then the phases in their order."""

CAUSE_NUMBERS: Mapping[Cause, int] = {cause: number for number, cause in enumerate(CAUSES)}

_plain_values = attrgetter(*(field.attribute for field in _PLAIN))
PLAIN_COUNT = len(_PLAIN)

_attributes = (*(field.attribute for field in _PLAIN), "phases_us")
_in_order_of_slots = itemgetter(*map(_attributes.index, CheckResult.__slots__[2:]))  # after host and time


def values(check: CheckResult) -> tuple[Any, ...]:
    """The values of a check in the order of `CHECK_FIELDS`."""
    return (*_plain_values(check), *check.phases_us)


def check_of(host: str, time_ms: int, found: Sequence[Any]) -> CheckResult:
    """The check that has these values, given in the order of `CHECK_FIELDS`."""
    resolve, connect, tls, processing, transfer = found[PLAIN_COUNT:]
    attributes = (*found[:PLAIN_COUNT], (resolve, connect, tls, processing, transfer))
    return CheckResult(host, time_ms, *_in_order_of_slots(attributes))  # by name it takes twice as long
