"""What a gateway answers. A client takes what a newer gateway adds."""

import msgspec
from msgspec import Struct

from monitoring.models import Bucket, Cause, History, ResponseTimes, SiteStats
from monitoring.storage.gateway.messages import AlertMessage, Check, RecordMessage
from monitoring.storage.gateway.values import Percent


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


class RefusedAnswer(Struct, rename="camel", omit_defaults=True):
    """Why not. Of points that the database will never take: how many it dropped (absent: unknown), and by which field."""

    error: str
    dropped: int | None = None
    field: str = ""
    by_age: bool = False
