"""The API for people and scripts: it answers with the objects that `-p` and `-a` print as JSON."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from monitoring import names
from monitoring.alerts.log import AlertLog
from monitoring.clock import Clock
from monitoring.config.lookup import chosen_hosts
from monitoring.config.parsing.durations import length_ms, moment
from monitoring.display.text.jsonlines import alert_json, stats_json
from monitoring.errors import ConfigError
from monitoring.gateway.store_api import StoreApi
from monitoring.models import Alert, AlertType, Cause, Site, State
from monitoring.storage.gateway.interface import Endpoint
from monitoring.storage.gateway.messages import must_be_name
from monitoring.storage.multi_location import MultiLocationReport, moment_to_show
from monitoring.storage.routing import Readers

MOST_RECORDS = 1_000_000

_SITE = "its id, name or URL; or tag:WORD, group:NAME"
_Site = Annotated[str, Meta(min_length=1, max_length=names.LONGEST_HOST, description=_SITE)]
_Place = Annotated[str, Meta(max_length=names.LONGEST_LOCATION, description='absent: all; "" is the one without a name')]
_Length = Annotated[int | str, Meta(description='"24h", "90s", "7d", or seconds')]
_Moment = Annotated[str, Meta(max_length=40, description='"2026-01-01T12:00:00Z", or "1h": an hour ago')]

# Questions


class Question(Struct, forbid_unknown_fields=True, kw_only=True):
    """A query about one site or all, in one location or all."""

    site: _Site | UnsetType = UNSET
    location: _Place | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.location:
            must_be_name("location", self.location, names.LONGEST_LOCATION)


class StatsQuestion(Question, kw_only=True):
    """The same as `-p --once --format json`, with its options as parameters."""

    window: _Length = 600
    at: _Moment | UnsetType = UNSET


class AlertsQuestion(Question, kw_only=True):
    """The same as `-a --once --format json`, one object a line, with its options as parameters."""

    since: _Moment | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_RECORDS)] | UnsetType = UNSET


# Answers, for the description of the API

_Percent = Annotated[float, Meta(ge=0, le=100)]
_Date = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_Times = dict[str, float | None]


class SiteObject(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A site in a window. Times are in seconds, shares in percent; unknown values are null."""

    url: str = field(name="URL")
    name: str | None
    location: str | UnsetType = UNSET
    group: str | None
    tags: list[str]
    checks: int
    available: int
    availability: _Percent | None
    coverage: float
    maintenance: float
    response_time: _Times
    phases: _Times
    statuses: dict[str, int]
    causes: dict[str, int]
    state: State
    since: _Date | None
    last_failure: _Date | None
    detail: str | None
    certificate_expires: _Date | None


class StatsObject(Struct, rename={"from_": "from"}, kw_only=True, forbid_unknown_fields=True):
    """The statistics of a window."""

    schema: Literal[1]
    kind: Literal["stats"]
    window: float
    from_: _Date
    until: _Date
    source: Literal["influxdb", "local", "gateway"]
    sites: list[SiteObject]


class AlertObject(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """An alert or a recovery."""

    schema: Literal[1]
    kind: Literal["alert"]
    type: AlertType
    url: str = field(name="URL")
    name: str | None
    location: str | UnsetType = UNSET
    time: _Date
    start_date: _Date
    end_date: _Date | None
    availability: _Percent
    cause: Cause | None
    detail: str | None


JSON, JSON_LINES = "application/json", "application/x-ndjson"

STATS: Endpoint[StatsQuestion, Any] = Endpoint(
    *("GET", "/api/v2/stats", "read", StatsQuestion, StatsObject, "", "Statistics and states of each site, for people")
)
ALERTS: Endpoint[AlertsQuestion, Any] = Endpoint(
    *("GET", "/api/v2/alerts", "read", AlertsQuestion, AlertObject, "", "Alerts and recoveries, oldest first, for people")
)

CONTENT: Mapping[Endpoint[Any, Any], str] = {STATS: JSON, ALERTS: JSON_LINES}
"""The endpoints with the content types of their answers."""


class PublicApi:
    """Answers with the JSON of the command line. `sites` returns the configured ones, for the names and groups of sites."""

    def __init__(self, interface: StoreApi, clock: Clock, sites: Callable[[], Sequence[Site]]) -> None:
        self._interface = interface
        self._clock = clock
        self._configured = sites

    def handlers(self) -> Mapping[Endpoint[Any, Any], Callable[[Readers, Any], str]]:
        return {STATS: self.stats, ALERTS: self.alerts}

    def answer(self, endpoint: Endpoint[Any, Any], asked: Question) -> str:
        """Raises `Malformed`, `ConfigError` and `StoreError`."""
        location = None if asked.location is UNSET else str(asked.location)
        with self._interface.everywhere(location) as readers:
            return self.handlers()[endpoint](readers, asked)

    def stats(self, readers: Readers, asked: StatsQuestion) -> str:
        length = _read("window", length_ms, str(asked.window))
        at_ms = _read("at", moment, asked.at).at(self._clock.now_ms()) if asked.at else None
        until_ms = moment_to_show(readers, self._clock, at_ms, "at")
        sites = self._sites(readers, until_ms)
        if asked.site:
            wanted = chosen_hosts(asked.site, sites, "site")
            sites = [site for site in sites if site.host in wanted]
        report = MultiLocationReport(sites)
        report.new_alerts(readers, until_ms)
        return stats_json(report.reports(readers, [length], until_ms)[0])

    def alerts(self, readers: Readers, asked: AlertsQuestion) -> str:
        """Alerts and recoveries since a moment, and earlier alerts that are still open."""
        sites = self._configured()
        wanted = chosen_hosts(asked.site, sites, "site") if asked.site else None
        since_ms = _read("since", moment, asked.since).at(self._clock.now_ms()) if asked.since else 0
        found: list[Alert] = []
        for location, reader in readers.items():
            log = AlertLog(location)
            new = log.add(it for it in reader.alerts(log.window()) if wanted is None or it.host in wanted)
            still_open = log.ongoing()
            found += [it for it in new if it.time_ms >= since_ms or it in still_open]
        found.sort(key=lambda it: (it.time_ms, it.host, it.location))
        of_host = {site.host: site.name for site in sites}
        newest = found[-asked.limit :] if asked.limit else found
        return "".join(f"{alert_json(it, of_host.get(it.host))}\n" for it in newest)

    def _sites(self, readers: Readers, until_ms: int) -> Sequence[Site]:
        """The stored sites, the configured ones first. Only the latest interval of the others is known."""
        states = {host: it for reader in readers.values() for host, it in reader.last_states(until_ms).items()}
        configured = [site for site in self._configured() if site.host in states]
        others = sorted(states.keys() - {site.host for site in configured})
        return [*configured, *(Site(host, host, interval_ms=states[host].last_covers_ms) for host in others)]


def _read(name: str, convert: Callable[[str], Any], text: str | UnsetType) -> Any:
    """Read a parameter as the command line reads the option of the same name."""
    try:
        return convert(str(text))
    except ArgumentTypeError as error:
        raise ConfigError([f"{name}: {error}"]) from None
