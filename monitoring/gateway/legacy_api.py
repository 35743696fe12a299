"""The API of version 1.1.0, kept for one release, so that its monitors can still deliver and its readers can still read.

They reject answers with unknown keys, so checks and alerts have only the fields of 1.1.0. Checks and alerts are stored. The
packed minutes of 1.1.0 are accepted and dropped, because 1.1.0 also sends each of their checks by itself. Its hours and
days become summaries, because nothing else remains of old checks.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from monitoring.fields import CHECK_FIELDS
from monitoring.gateway.store_api import Answer, Handlers, StoreApi, about, must_be_few
from monitoring.models import Alert, AlertType, Cause, CheckResult
from monitoring.statistics.summary import SiteSummary
from monitoring.statistics.windows import is_long
from monitoring.storage.base import Backend, DeliveryRecord, Points
from monitoring.storage.gateway import interface
from monitoring.storage.gateway.interface import (
    MOST_POINTS,
    Endpoint,
    Located,
    VerifyRequest,
    WaterMark,
    WindowQuery,
)
from monitoring.storage.gateway.messages import (
    Count,
    Host,
    Message,
    Moment,
    NewAlert,
    Packed,
    Status,
    Sum,
    SummaryMessage,
    Time,
    check_field,
    test_host,
)

MOST_BLOCKS = 100
PART_SITES = 100

NO_TIMES = (None,) * 5
_FIELDS = ("coversMs", "lagUs", "status", "responseUs", "cause")
_PLAIN = [known for known in CHECK_FIELDS if known.message in _FIELDS]
_PHASES = ("phasesUs", tuple[Time | None, Time | None, Time | None, Time | None, Time | None] | None, None)

Check = msgspec.defstruct(
    "Check",
    [("host", Host), ("timeMs", Moment), *map(check_field, _PLAIN), _PHASES],
    namespace={"__post_init__": test_host},
    forbid_unknown_fields=True,
)
"""A check without its detail; the phases are one array."""


def check_message(check: CheckResult) -> Struct:
    return Check(check.host, check.time_ms, *(getattr(check, plain.attribute) for plain in _PLAIN), check.phases_us)


def check_of(message: Any) -> CheckResult:
    plain = {plain.attribute: getattr(message, plain.message) for plain in _PLAIN}
    return CheckResult(message.host, message.timeMs, **plain, phases_us=message.phasesUs or NO_TIMES)


class AlertMessage(Message, rename="camel"):
    """An alert without its detail."""

    type: AlertType
    host: str
    time_ms: int
    start_ms: int
    end_ms: int | None
    availability: float
    cause: Cause | None


class Results(Located, kw_only=True):
    """The checks and alerts to store."""

    checks: Annotated[list[Check], Meta(max_length=MOST_POINTS)] = field(default_factory=list)  # type: ignore[valid-type]
    alerts: Annotated[list[NewAlert], Meta(max_length=MOST_POINTS)] = field(default_factory=list)


class Proof(VerifyRequest, kw_only=True):
    """Is this file known? In 1.1.0 it also meant: write a point and read it back."""

    prove: bool


class PackedMinutes(Struct):
    """Blocks of minutes, and records of their completeness, which this version does not need."""

    file: str


class RolledSite(Struct, rename="camel"):
    """The sums of one site over an hour or a day."""

    place: Annotated[int, Meta(ge=0, lt=PART_SITES)]
    sums: Annotated[list[Sum], Meta(min_length=16, max_length=16)]
    last_failure_ms: Moment | None
    statuses: dict[Status, Count]
    causes: dict[Cause, Count]
    shortest_us: Time | None
    longest_us: Time | None
    sketch: Packed


class RolledBlock(Struct, rename="camel"):
    """The sums of up to a hundred sites over an hour or a day."""

    table: Literal["hours", "days"]
    start_ms: Moment
    hosts: Annotated[list[str], Meta(max_length=PART_SITES)]
    sites: Annotated[list[RolledSite], Meta(max_length=PART_SITES)]

    def __post_init__(self) -> None:
        self.summaries()

    def summaries(self) -> list[SiteSummary]:
        """Raises `ValueError`."""
        return [self._summary(site).site_summary() for site in self.sites]

    def _summary(self, site: RolledSite) -> SummaryMessage:
        if site.place >= len(self.hosts):
            raise ValueError("sites: place must be that of a host")
        checks, good, covers_ms, good_covers_ms, responses, responses_us, *phases = site.sums
        return SummaryMessage(
            host=self.hosts[site.place],
            span="hour" if self.table == "hours" else "day",
            start_ms=self.start_ms,
            checks=checks,
            failures=checks - good,
            covers_ms=covers_ms,
            down_ms=covers_ms - good_covers_ms,
            responses=responses,
            responses_us=responses_us,
            shortest_us=site.shortest_us,
            longest_us=site.longest_us,
            phase_counts=tuple(phases[::2]),  # type: ignore[arg-type]  # there are five
            phases_us=tuple(phases[1::2]),  # type: ignore[arg-type]
            last_failure_ms=site.last_failure_ms,
            statuses=site.statuses,
            causes=site.causes,
            times=b"",
            sketch=site.sketch,
        )


class Rollups(VerifyRequest, kw_only=True):
    """Hours and days of one local file."""

    blocks: Annotated[list[RolledBlock], Meta(max_length=MOST_BLOCKS)]


class StreaksQuery(Located, kw_only=True):
    """A query by the checks before a moment, in milliseconds."""

    until: WaterMark


def _post(what: str, request: type[Struct]) -> Endpoint[Any, Any]:
    return Endpoint("POST", f"/api/v1/{what}", "write", request, Struct, "stored", "")


def _get(what: str, request: type[Struct], role: interface.Role = "read") -> Endpoint[Any, Any]:
    return Endpoint("GET", f"/api/v1/{what}", role, request, Struct, "", "")


def legacy_handlers(newer: StoreApi) -> Handlers:
    """The endpoints of 1.1.0. Those that have not changed use the handlers of `newer`."""
    former = LegacyApi(newer)
    same = (interface.LAST_TIME, interface.KNOWN, interface.LOCATIONS)
    handlers = newer.handlers()
    return {
        **{replace(it, path=it.path.replace(interface.STORE, "/api/v1/")): handlers[it] for it in same},
        _post("results", Results): former.take_results,
        _post("proof", Proof): former.prove,
        _post("rollups", Rollups): former.take_rollups,
        **{_post(what, PackedMinutes): former.drop for what in ("minutes", "minutes/announcements", "minutes/seals")},
        _get("minutes", PackedMinutes, "write"): former.open_minutes,
        _get("stats", WindowQuery): former.stats,
        _get("results", WindowQuery): former.results,
        _get("alerts", WindowQuery): former.alerts,
        _get("alerts/latest", Located): former.last_alerts,
        _get("streaks", StreaksQuery): former.streaks,
    }


class LegacyApi:
    """The endpoints of 1.1.0 that have changed."""

    def __init__(self, newer: StoreApi) -> None:
        self._newer = newer

    def take_results(self, database: Backend, asked: Results) -> Answer:
        points = Points(list(map(check_of, asked.checks)), [alert.to(Alert) for alert in asked.alerts])
        return self._newer.store(database, asked.location or "", points)

    def take_rollups(self, database: Backend, asked: Rollups) -> Answer:
        summaries = [summary for block in asked.blocks for summary in block.summaries()]
        return self._newer.store(database, asked.location or "", Points(summaries=summaries))

    def prove(self, database: Backend, asked: Proof) -> Answer:
        """A file is known after its first request. While it is unknown, its monitor sends everything again."""
        is_known = database.verify(asked.file) is not None
        if asked.prove and not is_known:
            database.record(asked.file, DeliveryRecord(0, 0, 0))
        return {"known": is_known}

    def drop(self, _: Backend, __: PackedMinutes) -> Answer:
        return {"stored": 0}

    def open_minutes(self, _: Backend, __: PackedMinutes) -> Answer:
        return {"minutes": []}

    def stats(self, database: Backend, asked: WindowQuery) -> Answer:
        window = self._newer.window(asked)
        return self._newer.stats_of(database, window, exact=not is_long(window))

    def results(self, database: Backend, asked: WindowQuery) -> Answer:
        window = self._newer.window(asked)
        must_be_few(database, window, self._newer.limits.answer_checks)
        return about(window, checks=list(map(check_message, database.results(window))))

    def alerts(self, database: Backend, asked: WindowQuery) -> Answer:
        window = self._newer.window(asked)
        return about(window, alerts=list(map(AlertMessage.of, database.alerts(window))))

    def last_alerts(self, database: Backend, _: Located) -> Answer:
        found = database.last_alerts()
        return {"alerts": [AlertMessage.of(found[host]) for host in sorted(found)]}

    def streaks(self, database: Backend, asked: StreaksQuery) -> Answer:
        """When the current run of good checks of each site began."""
        found = database.last_states(asked.until)
        return {
            "until": asked.until,
            "sites": [
                {
                    "host": host,
                    "lastFailureMs": found[host].last_failure_ms,
                    "goodSinceMs": found[host].good_since_ms if found[host].last_available else None,
                }
                for host in sorted(found)
            ],
        }
