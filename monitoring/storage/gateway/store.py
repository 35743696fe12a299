"""A gateway as a backend: `./monitoringApp.py -g` on the machine that has the database."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from monitoring.config.databases import DatabaseAddress
from monitoring.config.tokens import client_token
from monitoring.errors import StoreDenied, StoreRefused, untraced
from monitoring.models import Alert, CheckResult, History, SiteStats, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion, DeliveryRecord, Ends, IsWanted, Points, always

if TYPE_CHECKING:
    from msgspec import Struct

    from monitoring.storage.gateway.client import Parameters  # at run time later: `requests` takes a while

CONNECT_TIMEOUT_S = 2.0

MOST_BYTES = 4 << 20
"""Of one request, which a gateway takes in any case."""

SMALLEST_WINDOW_MS = 2
"""A shorter window cannot be halved."""

Answer = TypeVar("Answer")


class GatewayStore:
    """Keeps `Backend` through a gateway's HTTP interface, at one location.

    Several threads may use it at once. A long history of checks comes in several answers, each of its own moment.
    """

    kind = "gateway"

    def __init__(
        self, address: DatabaseAddress, location: str = "", read_timeout: float = 5.0, *, token: str | None = None
    ) -> None:
        """Make the store without connecting; `read_timeout` is seconds of each answer."""
        from monitoring.storage.gateway import answers, messages, values  # late: msgspec, and next `requests`, take a while
        from monitoring.storage.gateway.client import GatewayClient

        self._client = GatewayClient(
            host=address.host,
            port=address.port,
            tls=address.tls,
            token=token,
            timeout=(CONNECT_TIMEOUT_S, read_timeout),
        )
        self._answers, self._messages, self._values = answers, messages, values
        self.name = self._client.name
        self._location = location or None
        self._here: Parameters = {"location": location} if location else {}

    def ping(self) -> None:
        """Return when the database behind the gateway answers, too."""
        self._client.get("/healthz", dict)

    # The writer

    def verify(self, marker: str) -> DeliveryRecord | None:
        """As the contract has it: the gateway writes a point of this name to its database, and reads it back."""
        asked = self._messages.VerifyRequest(location=self._location, file=marker)
        found = self._post("verify", asked, self._answers.VerifyAnswer).record
        return None if found is None else found.record()

    def record(self, marker: str, record: DeliveryRecord) -> None:
        told = self._messages.RecordMessage.of(record)
        request = self._messages.RecordRequest(location=self._location, file=marker, record=told)
        self._post("record", request, self._answers.StoredAnswer)

    def write(self, points: Points) -> None:
        refusals = []
        for body in self._bodies(points):
            try:
                self._client.post("/api/v2/points", body, self._answers.StoredAnswer)
            except StoreRefused as refusal:
                refusals.append(untraced(refusal))
        if refusals:
            raise StoreRefused.all_of(refusals)

    def delete(self, deletion: Deletion) -> Iterator[None]:  # noqa: ARG002 - nothing is
        """Nobody deletes through a gateway, whose own configuration says what is kept. Raises `StoreDenied`."""
        raise StoreDenied(f"{self.name} deletes nothing: ask for it where the gateway runs")

    # The reader

    def stats(
        self,
        window: Window,
        *,
        exact: bool,
        ends: Ends | None = None,  # noqa: ARG002
        is_wanted: IsWanted = always,  # noqa: ARG002
    ) -> Mapping[str, SiteStats]:
        """As the contract has it; the gateway's database answers for the ends of the window, too."""
        parameters = {**_bounds(window), "exact": "true" if exact else "false"}
        found = self._get("stats", self._answers.StatsAnswer, parameters)
        return {site.host: site.stats() for site in found.sites}

    def results(self, window: Window) -> Iterator[CheckResult]:
        """In halves where there is too much for one answer."""
        from monitoring.storage.gateway.client import TooLong

        ahead = [window]
        while ahead:
            part = ahead.pop()
            try:
                found = self._get("results", self._answers.ChecksAnswer, _bounds(part)).checks
            except TooLong:
                if part.length_ms < SMALLEST_WINDOW_MS:
                    raise
                middle_ms = (part.from_ms + part.until_ms) // 2
                ahead += [Window(middle_ms, part.until_ms), Window(part.from_ms, middle_ms)]
                continue
            yield from map(self._messages.check_of, found)

    def alerts(self, window: Window) -> Sequence[Alert]:
        found = self._get("alerts", self._answers.AlertsAnswer, _bounds(window))
        return [message.alert() for message in found.alerts]

    def last_alerts(self) -> Mapping[str, Alert]:
        found = self._get("alerts/latest", self._answers.LastAlertsAnswer, {})
        return {message.host: message.alert() for message in found.alerts}

    def last_states(self, before_ms: int) -> Mapping[str, History]:
        found = self._get("states", self._answers.StatesAnswer, {"before": before_ms})
        return {message.host: message.history() for message in found.sites}

    def last_time(self) -> int | None:
        return self._get("last-time", self._answers.TimeAnswer, {}).time_ms

    def missing(self, window: Window) -> int:
        return self._get("missing", self._answers.MissingAnswer, _bounds(window)).missing

    def check_counts(self, window: Window, span: Span | None = None) -> Mapping[str, int]:
        of_span = {} if span is None else {"span": span.name.lower()}
        return self._get("check-counts", self._answers.CountsAnswer, {**_bounds(window), **of_span}).counts

    def locations(self) -> Sequence[str]:
        return self._client.get("/api/v2/locations", self._answers.LocationsAnswer).locations

    def is_known(self) -> bool:
        return self._client.get("/api/v2/known", self._answers.KnownAnswer).known

    def close(self) -> None:
        self._client.close()

    # Within

    def _get(self, question: str, kind: type[Answer], parameters: "Parameters") -> Answer:
        return self._client.get(f"/api/v2/{question}", kind, {**parameters, **self._here})

    def _post(self, what: str, message: "Struct", kind: type[Answer]) -> Answer:
        return self._client.post(f"/api/v2/{what}", self._values.encode(message), kind)

    def _bodies(self, points: Points) -> Iterator[bytes]:
        """Requests that have all of these points, none of them too long."""
        here = self._values.encode(self._location)
        kinds: Sequence[tuple[bytes, Iterable[object]]] = (
            (b"checks", map(self._messages.check_message, points.checks)),
            (b"alerts", map(self._messages.AlertMessage.of, points.alerts)),
            (b"summaries", map(self._messages.SummaryMessage.of, points.summaries)),
        )
        for some in _portions(((kind, self._values.encode(one)) for kind, every in kinds for one in every)):
            lists = (b'"%b":[%b]' % (kind, b",".join(own)) for kind, own in some.items())
            yield b"{%b}" % b",".join(chain([b'"location":%b' % here], lists))


def _portions(encoded: Iterable[tuple[bytes, bytes]]) -> Iterator[dict[bytes, list[bytes]]]:
    """Points by kind, as many at once as one request may have."""
    from monitoring.storage.gateway.values import MOST_POINTS

    some: dict[bytes, list[bytes]] = {}
    count = size = 0
    for kind, point in encoded:
        if count == MOST_POINTS or (some and size + len(point) > MOST_BYTES):
            yield some
            some, count, size = {}, 0, 0
        some.setdefault(kind, []).append(point)
        count, size = count + 1, size + len(point) + 1
    if some:
        yield some


def _bounds(window: Window) -> dict[str, int | str]:
    return {"from": window.from_ms, "until": window.until_ms}


def open_gateway(
    address: DatabaseAddress, location: str = "", read_timeout: float = 5.0, environ: Mapping[str, str] = os.environ
) -> GatewayStore:
    """The store at this address, with the token of the environment. Raises `ConfigError` when that is not readable."""
    return GatewayStore(address, location, read_timeout, token=client_token(environ))
