"""The interface of version 1.1.0, for one release: its monitors go on delivering, and its readers go on reading.

Checks and alerts are stored. What 1.1.0 packs of whole minutes is accepted and dropped, for each of these checks comes by
itself as well. Its hours and days become summaries: they are all that stays of checks that have grown too old.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct, field
from werkzeug.exceptions import RequestEntityTooLarge

from monitoring import names
from monitoring.fields import LONGEST_SPAN_MS
from monitoring.gateway import parameters
from monitoring.gateway.access import Role
from monitoring.gateway.endpoints import Desk, Endpoint
from monitoring.gateway.v2 import Interface
from monitoring.models import Cause, CheckResult, Streak, Window
from monitoring.states import streak_of
from monitoring.statistics.summary import SiteSummary
from monitoring.stats import is_long
from monitoring.storage.base import DeliveryRecord, Points
from monitoring.storage.gateway.answers import KnownAnswer, StatsMessage, StoredAnswer
from monitoring.storage.gateway.messages import AlertMessage, Located, NewAlert, SummaryMessage, VerifyRequest
from monitoring.storage.gateway.values import MOST_POINTS, Count, Host, Moment, Packed, Sum, Time, must_be_name

MOST_BLOCKS = 100
PART_SITES = 100

Span = Annotated[int, Meta(ge=0, le=LONGEST_SPAN_MS)]
FiveTimes = tuple[Time | None, Time | None, Time | None, Time | None, Time | None]
NO_TIMES: FiveTimes = (None, None, None, None, None)


class Check(Struct, rename="camel", forbid_unknown_fields=True):
    """A check without its detail; the phases are one array."""

    host: Host
    time_ms: Moment
    covers_ms: Annotated[int, Meta(ge=1, le=LONGEST_SPAN_MS)]
    lag_us: Span
    status: Annotated[int, Meta(ge=0, le=999)]
    response_us: Time | None = None
    phases_us: FiveTimes | None = None
    cause: Cause | None = None

    def __post_init__(self) -> None:
        must_be_name("host", self.host, names.LONGEST_HOST)

    @classmethod
    def of(cls, check: CheckResult) -> "Check":
        return cls(
            check.host,
            check.time_ms,
            check.covers_ms,
            check.lag_us,
            check.status,
            check.response_us,
            check.phases_us,
            check.cause,
        )

    def result(self) -> CheckResult:
        return CheckResult(
            host=self.host,
            time_ms=self.time_ms,
            covers_ms=self.covers_ms,
            lag_us=self.lag_us,
            status=self.status,
            response_us=self.response_us,
            phases_us=self.phases_us or NO_TIMES,
            cause=self.cause,
        )


class Results(Located, forbid_unknown_fields=True, kw_only=True):
    """What is written."""

    checks: Annotated[list[Check], Meta(max_length=MOST_POINTS)] = field(default_factory=list)
    alerts: Annotated[list[NewAlert], Meta(max_length=MOST_POINTS)] = field(default_factory=list)


class Proof(VerifyRequest, forbid_unknown_fields=True, kw_only=True):
    """Is this file known? And write a point, and read it back."""

    prove: bool


class Dropped(Struct):
    """Minutes in blocks, where their checks are, that they are whole: nobody asks for that any more."""

    file: str


class RolledSite(Struct, rename="camel"):
    """The sums of one site of an hour or a day."""

    place: Annotated[int, Meta(ge=0, lt=PART_SITES)]
    sums: Annotated[list[Sum], Meta(min_length=16, max_length=16)]
    last_failure_ms: Moment | None
    statuses: dict[str, Count]
    causes: dict[Cause, Count]
    shortest_us: Time | None
    longest_us: Time | None
    sketch: Packed


class RolledBlock(Struct, rename="camel"):
    """Up to a hundred sites of an hour or a day."""

    table: Literal["hours", "days"]
    start_ms: Moment
    hosts: Annotated[list[str], Meta(max_length=PART_SITES)]
    sites: Annotated[list[RolledSite], Meta(max_length=PART_SITES)]

    def __post_init__(self) -> None:
        for site in self.sites:
            self.summary(site)

    def summary(self, site: RolledSite) -> SummaryMessage:
        """Raises `ValueError`."""
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
            phase_counts=tuple(phases[::2]),  # type: ignore[arg-type]  # there are five
            phases_us=tuple(phases[1::2]),  # type: ignore[arg-type]
            shortest_us=site.shortest_us,
            longest_us=site.longest_us,
            last_failure_ms=site.last_failure_ms,
            statuses=site.statuses,
            causes=site.causes,
            sketch=site.sketch,
        )


class Rollups(VerifyRequest, forbid_unknown_fields=True, kw_only=True):
    """Hours and days of one local file."""

    blocks: Annotated[list[RolledBlock], Meta(max_length=MOST_BLOCKS)]

    def summaries(self) -> list[SiteSummary]:
        return [block.summary(site).site_summary() for block in self.blocks for site in block.sites]


class StreakMessage(Struct, rename="camel"):
    """The last check of a site, its last failure, and its first check after that."""

    host: str
    last_ms: int | None
    last_failure_ms: int | None
    good_since_ms: int | None

    @classmethod
    def of(cls, host: str, found: Streak) -> "StreakMessage":
        return cls(host, found.last_ms, found.last_failure_ms, found.good_since_ms)


class FormerInterface:
    """What a monitor, or a reader, of 1.1.0 asks."""

    def __init__(self, desk: Desk, newer: Interface) -> None:
        """`newer` answers what has stayed the same."""
        self._desk = desk
        self._newer = newer

    def endpoints(self) -> Sequence[Endpoint]:
        read, write = Role.READ, Role.WRITE
        return (
            Endpoint("POST", "/api/v1/results", write, self.take_results),
            Endpoint("POST", "/api/v1/proof", write, self.prove),
            Endpoint("POST", "/api/v1/minutes", write, self.drop),
            Endpoint("GET", "/api/v1/minutes", write, self.open_minutes),
            Endpoint("POST", "/api/v1/minutes/announcements", write, self.drop),
            Endpoint("POST", "/api/v1/minutes/seals", write, self.drop),
            Endpoint("POST", "/api/v1/rollups", write, self.take_rollups),
            Endpoint("GET", "/api/v1/stats", read, self.stats),
            Endpoint("GET", "/api/v1/results", read, self.results),
            Endpoint("GET", "/api/v1/alerts", read, self.alerts),
            Endpoint("GET", "/api/v1/alerts/latest", read, self._newer.last_alerts),
            Endpoint("GET", "/api/v1/last-time", read, self._newer.last_time),
            Endpoint("GET", "/api/v1/streaks", read, self.streaks),
            Endpoint("GET", "/api/v1/known", read, self._newer.is_known),
            Endpoint("GET", "/api/v1/locations", read, self._newer.locations),
        )

    # Writers

    def take_results(self) -> StoredAnswer:
        found = parameters.body(Results)
        points = Points([check.result() for check in found.checks], [alert.alert() for alert in found.alerts])
        self._desk.write(found.location or "", points)
        return StoredAnswer(len(points))

    def prove(self) -> KnownAnswer:
        """A file is known from its first proof on: as long as it is not, its monitor sends everything again."""
        found = parameters.body(Proof)
        with self._desk.turn(found.location or "") as database:
            is_known = database.verify(found.file) is not None
            if found.prove and not is_known:
                database.record(found.file, DeliveryRecord(0, 0, 0))
        return KnownAnswer(is_known)

    def drop(self) -> StoredAnswer:
        parameters.body(Dropped)
        return StoredAnswer()

    def open_minutes(self) -> object:
        return {"minutes": []}

    def take_rollups(self) -> StoredAnswer:
        found = parameters.body(Rollups)
        summaries = found.summaries()
        self._desk.write(found.location or "", Points(summaries=summaries))
        return StoredAnswer(len(summaries))

    # Readers

    def stats(self) -> object:
        window = self._window()
        with self._desk.turn(parameters.location()) as database:
            found = database.stats(window, exact=not is_long(window))
        return {**_bounds(window), "sites": [StatsMessage.of(found[host]) for host in sorted(found)]}

    def results(self) -> object:
        window = self._window()
        most = self._desk.limits.answer_checks
        with self._desk.turn(parameters.location()) as database:
            if sum(database.check_counts(window).values()) > most:
                raise RequestEntityTooLarge(f"these are more than {most} checks: ask for a shorter window")
            return {**_bounds(window), "checks": [Check.of(check) for check in database.results(window)]}

    def alerts(self) -> object:
        window = self._window()
        with self._desk.turn(parameters.location()) as database:
            return {**_bounds(window), "alerts": list(map(AlertMessage.of, database.alerts(window)))}

    def streaks(self) -> object:
        until_ms = parameters.moment("until")
        with self._desk.turn(parameters.location()) as database:
            states = database.last_states(until_ms)
        streaks = {host: streak for host in sorted(states) if (streak := streak_of(states[host], until_ms))}
        return {"until": until_ms, "sites": [StreakMessage.of(host, streak) for host, streak in streaks.items()]}

    def _window(self) -> Window:
        return parameters.window(self._desk.clock.now_ms())


def _bounds(window: Window) -> dict[str, object]:
    return {"from": window.from_ms, "until": window.until_ms}
