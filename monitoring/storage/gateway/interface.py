"""The endpoints of a gateway, declared once for the client that asks, and for the server that answers and describes them.

They are the contract of storage (`monitoring.storage.base`) by HTTP: what a monitor writes, and what must come back as
exactly that. A request is the query of a GET or the body of a POST. The API for people is `monitoring.gateway.public_api`.
"""

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, field

from monitoring import names
from monitoring.models import Window
from monitoring.statistics.windows import from_whole_hour
from monitoring.storage.gateway.messages import (
    LAST_MS,
    AlertMessage,
    Check,
    Location,
    Message,
    NewAlert,
    NewCheck,
    SpanName,
    StateMessage,
    StatsMessage,
    SummaryMessage,
    must_be_name,
    require,
)
from monitoring.units import HOUR_MS

STORE = "/api/v2/store/"
"""Where all of it lies."""

MOST_POINTS = 20_000
"""Checks, alerts and summaries of one request, each."""

LONGEST_BODY = 8 << 20
"""Bytes of one request."""

LONGEST_WINDOW_S = 10 * 366 * 86_400
MS_PER_S = 1_000

EXACT_MS = HOUR_MS
"""Percentiles of windows up to this long are exact when nothing is said."""

Marker = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}\Z", extra_json_schema={"pattern": r"^[0-9A-Za-z_-]{1,64}$"})]
WaterMark = Annotated[int, Meta(ge=0, le=LAST_MS)]
Bound = Annotated[int, Meta(ge=0, le=LAST_MS, description="milliseconds; from and until go together")]
Length = Annotated[int, Meta(ge=1, le=LONGEST_WINDOW_S, description="seconds before now; over a day: from a whole hour on")]

# Requests


class Nothing(Struct, forbid_unknown_fields=True):
    """A question about the whole database."""


class Located(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A request is about one location; absent: about the one without a name."""

    location: Location | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.location:
            must_be_name("location", self.location, names.LONGEST_LOCATION)


class WriteRequest(Located, kw_only=True):
    """Points to store."""

    checks: Annotated[list[NewCheck], Meta(max_length=MOST_POINTS)] = field(default_factory=list)  # type: ignore[valid-type]
    alerts: Annotated[list[NewAlert], Meta(max_length=MOST_POINTS)] = field(default_factory=list)
    summaries: Annotated[list[SummaryMessage], Meta(max_length=MOST_POINTS)] = field(default_factory=list)


class VerifyRequest(Located, kw_only=True):
    """The name of a monitor's local file."""

    file: Marker


class RecordMessage(Message, rename="camel"):
    """How far a local file has delivered. The times are water marks, in milliseconds; 0: none."""

    delivery: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    newest_ms: WaterMark
    summarised_ms: WaterMark


class RecordRequest(VerifyRequest, kw_only=True):
    """What the database is to remember of a local file."""

    record: RecordMessage


class WindowQuery(Located, rename={"from_ms": "from", "until_ms": "until"}, kw_only=True):
    """A window by its ends or by its length."""

    from_ms: Bound | UnsetType = UNSET
    until_ms: Bound | UnsetType = UNSET
    window: Length | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is UNSET:
            require(self.from_ms is not UNSET and self.until_ms is not UNSET, "from and until must be given, or window")
            require(self.from_ms <= self.until_ms, "from must not be after until")  # type: ignore[operator]  # they are
        else:
            require(self.from_ms is UNSET and self.until_ms is UNSET, "either window, or from and until")

    def at(self, now_ms: int) -> Window:
        if isinstance(self.from_ms, int) and isinstance(self.until_ms, int):
            return Window(self.from_ms, self.until_ms)
        return from_whole_hour(Window.before(now_ms, MS_PER_S * (self.window or 0)))


class CountsQuery(WindowQuery, kw_only=True):
    """Of summaries: how many checks they tell of. In each minute, hour or day; absent: in the window."""

    kind: Literal["checks", "alerts", "minutes", "hours", "days"] = "checks"
    each: SpanName | UnsetType = UNSET


class StatsQuery(WindowQuery, kw_only=True):
    """With exact percentiles? Absent: up to an hour."""

    exact: Literal["true", "false"] | UnsetType = UNSET

    def is_exact(self, window: Window) -> bool:
        return self.exact == "true" if self.exact else window.length_ms <= EXACT_MS


class ResultsQuery(WindowQuery, kw_only=True):
    """Of these sites alone, each in a parameter of its own; absent: of all."""

    host: list[str] | UnsetType = UNSET


class StatesQuery(Located, kw_only=True):
    """By the checks before a moment, in milliseconds."""

    before: WaterMark


class RefusedAnswer(Struct, rename="camel", omit_defaults=True):
    """Why not. Of points that the database will never take: how many it dropped (absent: unknown), and by which field."""

    error: str
    dropped: int | None = None
    field: str = ""
    by_age: bool = False


# Endpoints

Asked = TypeVar("Asked", bound=Struct)
Value = TypeVar("Value")
Role = Literal["read", "write"]
"""What a token is for: one that writes may not read, and the other way round, unless both are the same."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Asked, Value]):
    """`role` is whose token it takes; None: nobody's is needed. `about` is for people.

    The answer is an object in which `key` has what was asked for: a `Value`.
    """

    method: Literal["GET", "POST"]
    path: str
    role: Role | None
    request: type[Asked]
    answer: type[Struct]
    key: str
    about: str


def _get(
    what: str, request: type[Asked], key: str, value: type[Value], about: str, role: Role = "read", **more: type
) -> Endpoint[Asked, Value]:
    """An answer about a window says which one that was, half open, in milliseconds; it may have `more` to say."""
    of_window = {"from": int, "until": int} if issubclass(request, WindowQuery) else {}
    name = re.sub("[^A-Za-z]", "", what.title())
    answer = defstruct(f"{name}Answer", [*of_window.items(), *more.items(), (key, value)])
    return Endpoint("GET", f"{STORE}{what}", role, request, answer, key, about)


def _post(what: str, request: type[Asked], key: str, value: type[Value], about: str) -> Endpoint[Asked, Value]:
    return replace(_get(what, request, key, value, about, "write"), method="POST")


_Record: Any = RecordMessage | None
_Time: Any = int | None

WRITE = _post("points", WriteRequest, "stored", int, "Store checks, alerts and summaries")
VERIFY: Endpoint[VerifyRequest, RecordMessage | None] = _post(
    *("verify", VerifyRequest, "record", _Record, "Write a point, read it back; null: nothing is on record of the file")
)
RECORD = _post("record", RecordRequest, "stored", int, "Remember how far a local file has delivered")
COUNTS = _get(
    *("counts", CountsQuery, "counts", dict[int, dict[str, int]]),
    about="How many points of each site, by the start of the window, or of each minute, hour or day",
    role="write",
)
STATS = _get("stats", StatsQuery, "sites", list[StatsMessage], "Statistics of each site with a check, by name", exact=bool)
RESULTS = _get("results", ResultsQuery, "checks", list[Check], "The checks of a window, in order of time and host")  # type: ignore[valid-type]
MISSING = _get("missing", WindowQuery, "missing", int, "How many checks are known by summaries only")
ALERTS = _get("alerts", WindowQuery, "alerts", list[AlertMessage], "Alerts and recoveries, in order of time and host")
LAST_ALERTS = _get("alerts/latest", Located, "alerts", list[AlertMessage], "The newest one of each site")
STATES = _get("states", StatesQuery, "sites", dict[str, StateMessage], "Where each site stands, by name")
LAST_TIME: Endpoint[Located, int | None] = _get(
    *("last-time", Located, "timeMs", _Time, "The newest time of any check or alert; null: there is none")
)
KNOWN = _get("known", Nothing, "known", bool, "Has any monitor written?")
LOCATIONS = _get("locations", Nothing, "locations", list[str], 'Where sites are checked; "" is the location without a name')
HEALTH = replace(_get("healthz", Nothing, "status", str, "Does the database answer?"), path="/healthz", role=None)

ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    *(WRITE, VERIFY, RECORD, COUNTS, STATS, RESULTS, MISSING, ALERTS, LAST_ALERTS, STATES, LAST_TIME, KNOWN),
    *(LOCATIONS, HEALTH),
)
