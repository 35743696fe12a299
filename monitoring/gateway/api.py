"""What the gateway does with each kind of request: read it strictly, ask the database, answer with plain data.

Raises `Malformed` and HTTP errors for what is wrong with a request, `StoreError` for what is wrong with the database.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge

from monitoring.clock import Clock
from monitoring.errors import StoreError, StoreUnavailable
from monitoring.gateway import asked, minutes, openapi, rollups
from monitoring.gateway.access import Role
from monitoring.gateway.database import Database, Databases
from monitoring.gateway.limits import Limits, SiteLimiter
from monitoring.gateway.metrics import LocationMetrics, Metrics, SiteMetrics
from monitoring.models import Window
from monitoring.store import wire
from monitoring.store.blocks import MinuteBlock
from monitoring.store.influxblocks import Piece
from monitoring.store.rolledblocks import RolledBlock
from monitoring.store.wire import Malformed, each

METRICS_WINDOW_MS = 600_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`role` is whose token it takes; None: nobody's is needed."""

    method: str
    path: str
    role: Role | None
    answer: Callable[[], Any]


class Api:
    """The gateway's questions and answers, apart from HTTP's headers."""

    def __init__(self, databases: Databases, limits: Limits, clock: Clock, metrics: Metrics) -> None:
        self._databases = databases
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._sites = SiteLimiter(limits.sites)
        self._turns = threading.BoundedSemaphore(limits.busy)

    def endpoints(self) -> Sequence[Endpoint]:
        """All there are; `openapi` describes the same ones."""
        read, write = Role.READ, Role.WRITE
        return (
            Endpoint("POST", "/api/v1/results", write, self.take_results),
            Endpoint("POST", "/api/v1/minutes", write, self.take_blocks),
            Endpoint("GET", "/api/v1/minutes", write, self.open_minutes),
            Endpoint("POST", "/api/v1/minutes/announcements", write, self.take_announcements),
            Endpoint("POST", "/api/v1/minutes/seals", write, self.take_seals),
            Endpoint("POST", "/api/v1/rollups", write, self.take_rollups),
            Endpoint("POST", "/api/v1/proof", write, self.prove),
            Endpoint("GET", "/api/v1/stats", read, self.stats),
            Endpoint("GET", "/api/v1/results", read, self.results),
            Endpoint("GET", "/api/v1/alerts", read, self.alerts),
            Endpoint("GET", "/api/v1/alerts/latest", read, self.latest_alerts),
            Endpoint("GET", "/api/v1/last-time", read, self.last_time),
            Endpoint("GET", "/api/v1/streaks", read, self.streaks),
            Endpoint("GET", "/api/v1/known", read, self.known),
            Endpoint("GET", "/api/v1/locations", read, self.locations),
            Endpoint("GET", "/api/v1/openapi.json", None, openapi.description),
            Endpoint("GET", "/healthz", None, self.health),
            Endpoint("GET", "/metrics", read, self.metrics),
        )

    # Writers

    def take_results(self) -> object:
        found = asked.content({"checks", "alerts"}, ())
        checks = each("checks", found.get("checks", []), wire.read_check, self._limits.points)
        alerts = each("alerts", found.get("alerts", []), wire.read_alert, self._limits.points)
        location = asked.location_of(found)
        self._sites.admit(location, {check.host for check in checks} | {alert.host for alert in alerts})
        with self._turn(location) as database:
            database.write(checks, alerts)
        self._metrics.took("check", len(checks))
        self._metrics.took("alert", len(alerts))
        return {"stored": len(checks) + len(alerts)}

    def take_blocks(self) -> object:
        found = asked.content({"file", "blocks"}, ("file", "blocks"))
        marker = asked.file_name(found["file"])
        blocks = each("blocks", found["blocks"], minutes.read_block, minutes.MOST_BLOCKS)
        location = asked.location_of(found)
        self._sites.admit(location, _hosts(blocks))
        with self._turn(location) as database:
            database.write_blocks(marker, blocks)
        self._metrics.took("block", len(blocks))
        return {"stored": len(blocks)}

    def take_announcements(self) -> object:
        found = asked.content({"file", "told", "pieces"}, ("file", "told", "pieces"))
        marker = asked.file_name(found["file"])
        told = dict(each("told", found["told"], minutes.read_told, minutes.MOST_MINUTES))
        pieces = each("pieces", found["pieces"], minutes.read_piece, minutes.MOST_BLOCKS)
        location = asked.location_of(found)
        self._sites.admit(location, _hosts(pieces))
        with self._turn(location) as database:
            database.announce(marker, told, pieces)
        return {"stored": len(told) + len(pieces)}

    def take_rollups(self) -> object:
        found = asked.content({"file", "blocks"}, ("file", "blocks"))
        marker = asked.file_name(found["file"])
        blocks = each("blocks", found["blocks"], rollups.read_block, rollups.MOST_BLOCKS)
        location = asked.location_of(found)
        self._sites.admit(location, _hosts(blocks))
        with self._turn(location) as database:
            database.write_rollups(marker, blocks)
        return {"stored": len(blocks)}

    def take_seals(self) -> object:
        found = asked.content({"file", "minutes"}, ("file", "minutes"))
        marker = asked.file_name(found["file"])
        sealed = each("minutes", found["minutes"], lambda at: minutes.minute("minute", at), minutes.MOST_MINUTES)
        with self._turn(asked.location_of(found)) as database:
            database.seal(marker, sealed)
        return {"stored": len(sealed)}

    def open_minutes(self) -> object:
        marker = asked.file_asked()
        with self._turn(asked.location_asked()) as database:
            found = database.open_minutes(marker)
        return {"minutes": [{"minuteMs": at_ms, "told": int(found[at_ms])} for at_ms in sorted(found)]}

    def prove(self) -> object:
        found = asked.content({"file", "prove"}, ("file", "prove"))
        marker = asked.file_name(found["file"])
        if not isinstance(found["prove"], bool):
            raise Malformed("prove: must be true or false")
        with self._turn(asked.location_of(found)) as database:
            return {"known": database.prove(marker) if found["prove"] else database.knows(marker)}

    # Readers

    def stats(self) -> object:
        window = asked.window_asked(self._clock.now_ms())
        with self._turn(asked.location_asked()) as database:
            found = database.stats(window)
        return {**wire.window_query(window), "sites": [wire.stats_json(found[host]) for host in sorted(found)]}

    def results(self) -> object:
        window = asked.window_asked(self._clock.now_ms())
        with self._turn(asked.location_asked()) as database:
            if sum(site.checks for site in database.stats(window).values()) > self._limits.answer_checks:
                most = self._limits.answer_checks
                raise RequestEntityTooLarge(f"these are more than {most} checks: ask for a shorter window")
            return {**wire.window_query(window), "checks": list(map(wire.check_json, database.results(window)))}

    def alerts(self) -> object:
        window = asked.window_asked(self._clock.now_ms())
        with self._turn(asked.location_asked()) as database:
            return {**wire.window_query(window), "alerts": list(map(wire.alert_json, database.alerts(window)))}

    def latest_alerts(self) -> object:
        asked.nothing_else_asked()
        with self._turn(asked.location_asked()) as database:
            found = database.last_alerts()
        return {"alerts": [wire.alert_json(found[host]) for host in sorted(found)]}

    def last_time(self) -> object:
        asked.nothing_else_asked()
        with self._turn(asked.location_asked()) as database:
            return {"timeMs": database.last_time()}

    def streaks(self) -> object:
        until_ms = asked.until_asked()
        with self._turn(asked.location_asked()) as database:
            found = database.streaks(until_ms)
        return {"until": until_ms, "sites": [wire.streak_json(host, found[host]) for host in sorted(found)]}

    def known(self) -> object:
        asked.nothing_asked()
        with self._turn() as database:
            return {"known": database.is_known()}

    def locations(self) -> object:
        asked.nothing_asked()
        with self._turn() as database:
            return {"locations": database.locations()}

    # Whoever looks after it

    def health(self) -> object:
        """Takes no turn, so that it answers while the database keeps all of those waiting; tells nobody where that is."""
        try:
            self._databases.at("").ping()
        except StoreError:
            raise StoreUnavailable("the database does not answer") from None
        return {"status": "ok"}

    def metrics(self) -> bytes:
        window = Window.before(self._clock.now_ms(), METRICS_WINDOW_MS)
        try:
            with self._turn() as database:
                found = [self._seen_from(location, window) for location in database.locations()]
        except StoreError:
            return self._metrics.text(SiteMetrics(None))
        return self._metrics.text(SiteMetrics(found))

    def _seen_from(self, location: str, window: Window) -> LocationMetrics:
        database = self._databases.at(location)
        return LocationMetrics(location, database.stats(window), database.last_alerts().values())

    @contextmanager
    def _turn(self, location: str = "") -> Iterator[Database]:
        """A place among those that use the database, as this location sees it.

        Raises `StoreUnavailable` when none becomes free, and `StoreRefused` where there can be no such location.
        """
        if not self._turns.acquire(timeout=self._limits.patience_s):
            raise StoreUnavailable("the gateway is waiting for its database")
        try:
            yield self._databases.at(location)
        finally:
            self._turns.release()


def _hosts(packed: Sequence[MinuteBlock | Piece | RolledBlock]) -> set[str]:
    return {host for one in packed for host in one.hosts if host}
