"""The API for monitors and readers: each endpoint of `storage.gateway.interface` queries the store of one location.

Raises HTTP errors for requests that exceed a limit, and `StoreError` for failures of the database.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

import msgspec
from werkzeug.exceptions import RequestEntityTooLarge

from monitoring.clock import Clock
from monitoring.errors import StoreError, StoreUnavailable
from monitoring.gateway.databases import Databases
from monitoring.gateway.limits import Limits, SiteLimiter
from monitoring.gateway.metrics import LocationMetrics, Metrics, SiteMetrics
from monitoring.models import Alert, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import MOST_LOCATIONS, Backend, DeliveryRecord, Points, Reader
from monitoring.storage.gateway import interface
from monitoring.storage.gateway.interface import (
    CountsQuery,
    Endpoint,
    RecordMessage,
    RecordRequest,
    ResultsQuery,
    StatesQuery,
    StatsQuery,
    VerifyRequest,
    WindowQuery,
    WriteRequest,
)
from monitoring.storage.gateway.messages import SPANS, AlertMessage, StateMessage, StatsMessage, check_message, check_of
from monitoring.storage.routing import Readers

METRICS_WINDOW_MS = 600_000

Answer = Mapping[str, object]
"""An answer, before its conversion to JSON."""

Handlers = Mapping[Endpoint[Any, Any], Callable[[Backend, Any], Answer]]
"""The function that answers at each endpoint."""


class StoreApi:
    """Requests and answers, independent of HTTP. Limits how many requests use the database at the same time."""

    def __init__(self, databases: Databases, limits: Limits, clock: Clock, metrics: Metrics) -> None:
        self._databases = databases
        self.limits = limits
        self._clock = clock
        self._metrics = metrics
        self._sites = SiteLimiter(limits.sites)
        self._turns = BoundedSemaphore(limits.busy)

    def handlers(self) -> Handlers:
        return {
            interface.WRITE: self.take,
            interface.VERIFY: self.verify,
            interface.RECORD: self.record,
            interface.COUNTS: self.counts,
            interface.STATS: self.stats,
            interface.RESULTS: self.results,
            interface.ALERTS: self.alerts,
            interface.LAST_ALERTS: self.last_alerts,
            interface.STATES: self.last_states,
            interface.MISSING: self.missing,
            interface.LAST_TIME: lambda database, _: {"timeMs": database.last_time()},
            interface.KNOWN: lambda database, _: {"known": database.is_known()},
            interface.LOCATIONS: lambda database, _: {"locations": list(database.locations())},
        }

    @contextmanager
    def turn(self, location: str = "") -> Iterator[Backend]:
        """The store of this location, as one of the limited number of requests that use the database.

        Raises `StoreUnavailable` if too many others use it, and `StoreRefused` if there can be no such location.
        """
        if not self._turns.acquire(timeout=self.limits.patience_s):
            raise StoreUnavailable("the gateway is waiting for its database")
        try:
            yield self._databases.at(location)
        finally:
            self._turns.release()

    @contextmanager
    def everywhere(self, location: str | None = None) -> Iterator[Readers]:
        """As `turn`, but gives readers of this location, or of all locations (None)."""
        with self.turn(location or "") as database:
            places = database.locations() or [""] if location is None else [location]
            yield {place: self._databases.at(place) for place in places[:MOST_LOCATIONS]}

    # Writers

    def take(self, database: Backend, asked: WriteRequest) -> Answer:
        checks, alerts = map(check_of, asked.checks), (alert.to(Alert) for alert in asked.alerts)
        summaries = (summary.site_summary() for summary in asked.summaries)
        return self.store(database, asked.location or "", Points(list(checks), list(alerts), list(summaries)))

    def store(self, database: Backend, location: str, points: Points) -> Answer:
        every: tuple[Any, ...] = (*points.checks, *points.alerts, *points.summaries)
        self._sites.admit(location, {point.host for point in every})
        database.write(points)
        self._metrics.took(check=len(points.checks), alert=len(points.alerts), summary=len(points.summaries))
        return {"stored": len(points)}

    def verify(self, database: Backend, asked: VerifyRequest) -> Answer:
        record = database.verify(asked.file)
        return {"record": None if record is None else RecordMessage.of(record)}

    def record(self, database: Backend, asked: RecordRequest) -> Answer:
        database.record(asked.file, asked.record.to(DeliveryRecord))
        return {"stored": 1}

    def counts(self, database: Backend, asked: CountsQuery) -> Answer:
        window = self.window(asked)
        found: defaultdict[int, dict[str, int]] = defaultdict(dict)
        each = SPANS[asked.each] if asked.each else None
        for (start_ms, host), count in database.counts(window, asked.kind, each).items():
            found[start_ms][host] = count
        return about(window, counts=found)

    # Readers

    def stats(self, database: Backend, asked: StatsQuery) -> Answer:
        window = self.window(asked)
        return self.stats_of(database, window, exact=asked.is_exact(window))

    def stats_of(self, database: Backend, window: Window, *, exact: bool) -> Answer:
        if exact and window.length_ms > Span.DAY.length_ms:
            must_be_few(database, window, self.limits.exact_checks)
        found = database.stats(window, exact=exact)
        return about(window, exact=exact, sites=[StatsMessage.of(found[host]) for host in sorted(found)])

    def results(self, database: Backend, asked: ResultsQuery) -> Answer:
        window, hosts = self.window(asked), asked.host or None
        must_be_few(database, window, self.limits.answer_checks, hosts)
        found = map(check_message, database.results(window, hosts))
        checks = b",".join(map(msgspec.json.encode, found))  # none of them is kept
        return about(window, checks=msgspec.Raw(b"[%b]" % checks))

    def missing(self, database: Backend, asked: WindowQuery) -> Answer:
        window = self.window(asked)
        return about(window, missing=database.missing(window))

    def alerts(self, database: Backend, asked: WindowQuery) -> Answer:
        window = self.window(asked)
        return about(window, alerts=list(map(AlertMessage.of, database.alerts(window))))

    def last_alerts(self, database: Backend, _: object) -> Answer:
        found = database.last_alerts()
        return {"alerts": [AlertMessage.of(found[host]) for host in sorted(found)]}

    def last_states(self, database: Backend, asked: StatesQuery) -> Answer:
        found = database.last_states(asked.before)
        return {"sites": {host: StateMessage.of(found[host]) for host in sorted(found)}}

    def window(self, asked: WindowQuery) -> Window:
        return asked.at(self._clock.now_ms())

    # Health and metrics

    def health(self) -> Answer:
        """Is the database available? It takes no turn, so that it answers while others wait; it hides the address."""
        try:
            self._databases.at("").ping()
        except StoreError:
            raise StoreUnavailable("the database does not answer") from None
        return {"status": "ok"}

    def metrics(self) -> bytes:
        """The metrics in Prometheus' text format."""
        window = Window.before(self._clock.now_ms(), METRICS_WINDOW_MS)
        try:
            with self.everywhere() as readers:
                found = [_seen_from(location, reader, window) for location, reader in readers.items()]
        except StoreError:
            return self._metrics.text(SiteMetrics(None))
        return self._metrics.text(SiteMetrics(found))


def _seen_from(location: str, reader: Reader, window: Window) -> LocationMetrics:
    return LocationMetrics(location, reader.stats(window, exact=True), reader.last_alerts().values())


def about(window: Window, **found: object) -> Answer:
    """An answer about a window."""
    return {"from": window.from_ms, "until": window.until_ms, **found}


def must_be_few(database: Backend, window: Window, most: int, hosts: Collection[str] | None = None) -> None:
    """Raises `RequestEntityTooLarge` if the window has more than `most` checks of these hosts (None: of all)."""
    counts = database.counts(window).items()
    if sum(count for (_, host), count in counts if hosts is None or host in hosts) > most:
        raise RequestEntityTooLarge(f"these are more than {most} checks: ask for a shorter window")
