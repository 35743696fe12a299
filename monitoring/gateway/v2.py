"""The gateway's answers: each endpoint of `storage.gateway.interface` asks the database of one location.

Raises HTTP errors for what is too much, `StoreError` for what is wrong with the database.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
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
from monitoring.storage.base import MOST_LOCATIONS, Backend, DeliveryRecord, Points
from monitoring.storage.gateway import interface
from monitoring.storage.gateway.interface import (
    AlertsAnswer,
    CountsAnswer,
    CountsQuery,
    Endpoint,
    HealthAnswer,
    KnownAnswer,
    LastAlertsAnswer,
    LocationsAnswer,
    MissingAnswer,
    RecordMessage,
    RecordRequest,
    StatesAnswer,
    StatesQuery,
    StatsAnswer,
    StatsQuery,
    StoredAnswer,
    TimeAnswer,
    VerifyAnswer,
    VerifyRequest,
    WindowQuery,
    WriteRequest,
)
from monitoring.storage.gateway.messages import SPANS, AlertMessage, StateMessage, StatsMessage, check_message, check_of

METRICS_WINDOW_MS = 600_000

Handlers = Mapping[Endpoint[Any, Any], Callable[[Backend, Any], object]]
"""The function that answers at each endpoint; what it returns is JSON already (bytes), or is made JSON."""


class Interface:
    """Questions and answers, apart from HTTP. Only so many requests use the database at a time."""

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
            interface.MISSING: self.missing,
            interface.ALERTS: self.alerts,
            interface.LAST_ALERTS: self.last_alerts,
            interface.STATES: self.last_states,
            interface.LAST_TIME: self.last_time,
            interface.KNOWN: self.is_known,
            interface.LOCATIONS: self.locations,
        }

    @contextmanager
    def turn(self, location: str = "") -> Iterator[Backend]:
        """A place among those that use the database, as this location sees it.

        Raises `StoreUnavailable` when none becomes free, and `StoreRefused` where there can be no such location.
        """
        if not self._turns.acquire(timeout=self.limits.patience_s):
            raise StoreUnavailable("the gateway is waiting for its database")
        try:
            yield self._databases.at(location)
        finally:
            self._turns.release()

    # Writers

    def take(self, database: Backend, asked: WriteRequest) -> StoredAnswer:
        checks, alerts = map(check_of, asked.checks), (alert.to(Alert) for alert in asked.alerts)
        summaries = (summary.site_summary() for summary in asked.summaries)
        return self.store(database, asked.location or "", Points(list(checks), list(alerts), list(summaries)))

    def store(self, database: Backend, location: str, points: Points) -> StoredAnswer:
        every: tuple[Any, ...] = (*points.checks, *points.alerts, *points.summaries)
        self._sites.admit(location, {point.host for point in every})
        database.write(points)
        self._metrics.took(check=len(points.checks), alert=len(points.alerts), summary=len(points.summaries))
        return StoredAnswer(len(points))

    def verify(self, database: Backend, asked: VerifyRequest) -> VerifyAnswer:
        record = database.verify(asked.file)
        return VerifyAnswer(None if record is None else RecordMessage.of(record))

    def record(self, database: Backend, asked: RecordRequest) -> StoredAnswer:
        database.record(asked.file, asked.record.to(DeliveryRecord))
        return StoredAnswer(1)

    def counts(self, database: Backend, asked: CountsQuery) -> CountsAnswer:
        found: defaultdict[int, dict[str, int]] = defaultdict(dict)
        each = SPANS[asked.each] if asked.each else None
        for (start_ms, host), count in database.counts(self.window(asked), asked.kind, each).items():
            found[start_ms][host] = count
        return CountsAnswer(dict(found))

    # Readers

    def stats(self, database: Backend, asked: StatsQuery) -> StatsAnswer:
        window = self.window(asked)
        return self.stats_of(database, window, exact=asked.is_exact(window))

    def stats_of(self, database: Backend, window: Window, *, exact: bool) -> StatsAnswer:
        if exact and window.length_ms > Span.DAY.length_ms:
            must_be_few(database, window, self.limits.exact_checks)
        found = database.stats(window, exact=exact)
        return StatsAnswer(window.from_ms, window.until_ms, exact, [StatsMessage.of(found[host]) for host in sorted(found)])

    def results(self, database: Backend, asked: WindowQuery) -> bytes:
        window = self.window(asked)
        must_be_few(database, window, self.limits.answer_checks)
        checks = b",".join(map(msgspec.json.encode, map(check_message, database.results(window))))  # none of them is kept
        return b'{"from":%d,"until":%d,"checks":[%b]}' % (window.from_ms, window.until_ms, checks)

    def missing(self, database: Backend, asked: WindowQuery) -> MissingAnswer:
        return MissingAnswer(database.missing(self.window(asked)))

    def alerts(self, database: Backend, asked: WindowQuery) -> AlertsAnswer:
        window = self.window(asked)
        return AlertsAnswer(window.from_ms, window.until_ms, list(map(AlertMessage.of, database.alerts(window))))

    def last_alerts(self, database: Backend, _: object) -> LastAlertsAnswer:
        found = database.last_alerts()
        return LastAlertsAnswer([AlertMessage.of(found[host]) for host in sorted(found)])

    def last_states(self, database: Backend, asked: StatesQuery) -> StatesAnswer:
        found = database.last_states(asked.before)
        return StatesAnswer({host: StateMessage.of(found[host]) for host in sorted(found)})

    def last_time(self, database: Backend, _: object) -> TimeAnswer:
        return TimeAnswer(database.last_time())

    def is_known(self, database: Backend, _: object) -> KnownAnswer:
        return KnownAnswer(database.is_known())

    def locations(self, database: Backend, _: object) -> LocationsAnswer:
        return LocationsAnswer(list(database.locations()))

    def window(self, asked: WindowQuery) -> Window:
        return asked.at(self._clock.now_ms())

    # Whoever looks after it

    def health(self) -> HealthAnswer:
        """Takes no turn, so that it answers while the database keeps all of those waiting; tells nobody where that is."""
        try:
            self._databases.at("").ping()
        except StoreError:
            raise StoreUnavailable("the database does not answer") from None
        return HealthAnswer()

    def metrics(self) -> bytes:
        """As Prometheus reads it."""
        window = Window.before(self._clock.now_ms(), METRICS_WINDOW_MS)
        try:
            with self.turn() as database:
                found = [self._seen_from(location, window) for location in database.locations()[:MOST_LOCATIONS]]
        except StoreError:
            return self._metrics.text(SiteMetrics(None))
        return self._metrics.text(SiteMetrics(found))

    def _seen_from(self, location: str, window: Window) -> LocationMetrics:
        database = self._databases.at(location)
        return LocationMetrics(location, database.stats(window, exact=True), database.last_alerts().values())


def must_be_few(database: Backend, window: Window, most: int) -> None:
    """Raises `RequestEntityTooLarge` where a window has too many checks for one answer."""
    if sum(database.counts(window).values()) > most:
        raise RequestEntityTooLarge(f"these are more than {most} checks: ask for a shorter window")
