"""The gateway's interface: the contract of storage (`monitoring.storage.base`) over HTTP.

Each method reads its request strictly, asks the database, and answers with a message. Raises `Malformed` and HTTP errors
for what is wrong with a request, `StoreError` for what is wrong with the database.
"""

from collections.abc import Sequence

from werkzeug.exceptions import RequestEntityTooLarge

from monitoring.errors import StoreError, StoreUnavailable
from monitoring.gateway import description, parameters
from monitoring.gateway.access import Role
from monitoring.gateway.endpoints import Desk, Endpoint, Json
from monitoring.gateway.metrics import LocationMetrics, SiteMetrics
from monitoring.models import Window
from monitoring.storage.base import Points
from monitoring.storage.gateway import messages, values
from monitoring.storage.gateway.answers import (
    AlertsAnswer,
    CountsAnswer,
    KnownAnswer,
    LastAlertsAnswer,
    LocationsAnswer,
    MissingAnswer,
    StateMessage,
    StatesAnswer,
    StatsAnswer,
    StatsMessage,
    StoredAnswer,
    TimeAnswer,
    VerifyAnswer,
)
from monitoring.storage.gateway.messages import AlertMessage, RecordMessage, RecordRequest, VerifyRequest, WriteRequest

METRICS_WINDOW_MS = 600_000


class Interface:
    """Questions and answers, apart from HTTP's headers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def endpoints(self) -> Sequence[Endpoint]:
        """All there are; `description` describes the same ones."""
        read, write = Role.READ, Role.WRITE
        return (
            Endpoint("POST", "/api/v2/points", write, self.write),
            Endpoint("POST", "/api/v2/verify", write, self.verify),
            Endpoint("POST", "/api/v2/record", write, self.record),
            Endpoint("GET", "/api/v2/check-counts", write, self.check_counts),
            Endpoint("GET", "/api/v2/stats", read, self.stats),
            Endpoint("GET", "/api/v2/results", read, self.results),
            Endpoint("GET", "/api/v2/missing", read, self.missing),
            Endpoint("GET", "/api/v2/alerts", read, self.alerts),
            Endpoint("GET", "/api/v2/alerts/latest", read, self.last_alerts),
            Endpoint("GET", "/api/v2/states", read, self.last_states),
            Endpoint("GET", "/api/v2/last-time", read, self.last_time),
            Endpoint("GET", "/api/v2/known", read, self.is_known),
            Endpoint("GET", "/api/v2/locations", read, self.locations),
            Endpoint("GET", "/api/v2/openapi.json", None, description.description),
            Endpoint("GET", "/healthz", None, self.health),
            Endpoint("GET", "/metrics", read, self.metrics),
        )

    # Writers

    def write(self) -> StoredAnswer:
        found = parameters.body(WriteRequest)
        points = Points(
            checks=[messages.check_of(check) for check in found.checks],
            alerts=[alert.alert() for alert in found.alerts],
            summaries=[summary.site_summary() for summary in found.summaries],
        )
        self._desk.write(found.location or "", points)
        return StoredAnswer(len(points))

    def verify(self) -> VerifyAnswer:
        found = parameters.body(VerifyRequest)
        with self._desk.turn(found.location or "") as database:
            record = database.verify(found.file)
        return VerifyAnswer(None if record is None else RecordMessage.of(record))

    def record(self) -> StoredAnswer:
        found = parameters.body(RecordRequest)
        with self._desk.turn(found.location or "") as database:
            database.record(found.file, found.record.record())
        return StoredAnswer(1)

    def check_counts(self) -> CountsAnswer:
        window, span = self._window("span"), parameters.span()
        with self._desk.turn(parameters.location()) as database:
            return CountsAnswer(dict(database.check_counts(window, span)))

    # Readers

    def stats(self) -> StatsAnswer:
        window = self._window("exact")
        exact = parameters.exact(window)
        with self._desk.turn(parameters.location()) as database:
            found = database.stats(window, exact=exact)
        sites = [StatsMessage.of(found[host]) for host in sorted(found)]
        return StatsAnswer(from_ms=window.from_ms, until_ms=window.until_ms, exact=exact, sites=sites)

    def results(self) -> Json:
        window = self._window()
        with self._desk.turn(parameters.location()) as database:
            if sum(database.check_counts(window).values()) > self._desk.limits.answer_checks:
                most = self._desk.limits.answer_checks
                raise RequestEntityTooLarge(f"these are more than {most} checks: ask for a shorter window")
            checks = values.array_of(map(messages.check_message, database.results(window)))
        return Json(b'{"from":%d,"until":%d,"checks":%b}' % (window.from_ms, window.until_ms, checks))

    def missing(self) -> MissingAnswer:
        window = self._window()
        with self._desk.turn(parameters.location()) as database:
            return MissingAnswer(database.missing(window))

    def alerts(self) -> AlertsAnswer:
        window = self._window()
        with self._desk.turn(parameters.location()) as database:
            found = database.alerts(window)
        return AlertsAnswer(from_ms=window.from_ms, until_ms=window.until_ms, alerts=list(map(AlertMessage.of, found)))

    def last_alerts(self) -> LastAlertsAnswer:
        parameters.none_but_location()
        with self._desk.turn(parameters.location()) as database:
            found = database.last_alerts()
        return LastAlertsAnswer([AlertMessage.of(found[host]) for host in sorted(found)])

    def last_states(self) -> StatesAnswer:
        before_ms = parameters.moment("before")
        with self._desk.turn(parameters.location()) as database:
            found = database.last_states(before_ms)
        return StatesAnswer([StateMessage.of(host, found[host]) for host in sorted(found)])

    def last_time(self) -> TimeAnswer:
        parameters.none_but_location()
        with self._desk.turn(parameters.location()) as database:
            return TimeAnswer(database.last_time())

    def is_known(self) -> KnownAnswer:
        parameters.none()
        with self._desk.turn() as database:
            return KnownAnswer(database.is_known())

    def locations(self) -> LocationsAnswer:
        parameters.none()
        with self._desk.turn() as database:
            return LocationsAnswer(list(database.locations()))

    # Whoever looks after it

    def health(self) -> object:
        """Takes no turn, so that it answers while the database keeps all of those waiting; tells nobody where that is."""
        try:
            self._desk.databases.at("").ping()
        except StoreError:
            raise StoreUnavailable("the database does not answer") from None
        return {"status": "ok"}

    def metrics(self) -> bytes:
        window = Window.before(self._desk.clock.now_ms(), METRICS_WINDOW_MS)
        try:
            with self._desk.turn() as database:
                found = [self._seen_from(location, window) for location in database.locations()]
        except StoreError:
            return self._desk.metrics.text(SiteMetrics(None))
        return self._desk.metrics.text(SiteMetrics(found))

    def _seen_from(self, location: str, window: Window) -> LocationMetrics:
        database = self._desk.databases.at(location)
        return LocationMetrics(location, database.stats(window, exact=True), database.last_alerts().values())

    def _window(self, *more: str) -> Window:
        return parameters.window(self._desk.clock.now_ms(), *more)
