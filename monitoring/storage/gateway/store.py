"""A gateway as a backend: `./monitoringApp.py -g` on the machine that has the database."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.config.tokens import client_token
from monitoring.errors import StoreDenied, StoreRefused, untraced
from monitoring.models import Alert, CheckResult, LastState, SiteStats, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Counts, Deletion, DeliveryRecord, Points
from monitoring.storage.gateway import interface
from monitoring.storage.gateway.client import GatewayClient, TooLong
from monitoring.storage.gateway.interface import MOST_POINTS, Asked, Endpoint, Nothing, RecordMessage, Value
from monitoring.storage.gateway.messages import SPAN_NAMES, AlertMessage, SummaryMessage, check_message, check_of

CONNECT_TIMEOUT_S = 2.0

MOST_BYTES = 4 << 20
"""Of one request: what every gateway takes."""

LONGEST_CHOICE = 1_000
"""Characters of the hosts that a question names, because its address must stay short. For more, the answer is filtered."""

SMALLEST_WINDOW_MS = 2
"""A shorter window cannot be halved."""


class GatewayStore:
    """Keeps `Backend` by a gateway's HTTP interface, for one location.

    Several threads may use it at once. Many checks come in several answers, each of which sees its own moment.
    """

    kind = "gateway"

    def __init__(
        self,
        address: DatabaseAddress,
        location: str = "",
        read_timeout: float = 5.0,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Does not connect yet. `read_timeout`: seconds for each answer.

        Raises `ConfigError` when the token of the environment cannot be read.
        """
        self._client = GatewayClient(address, client_token(environ), (CONNECT_TIMEOUT_S, read_timeout))
        self.name = self._client.name
        self._here = {"location": location} if location else {}

    def ping(self) -> None:
        """Return when the gateway and its database answer."""
        self._client.ask(interface.HEALTH, Nothing())

    # The writer

    def verify(self, marker: str) -> DeliveryRecord | None:
        found = self._ask(interface.VERIFY, file=marker)
        return None if found is None else found.to(DeliveryRecord)

    def record(self, marker: str, record: DeliveryRecord) -> None:
        self._ask(interface.RECORD, file=marker, record=RecordMessage.of(record))

    def write(self, points: Points) -> None:
        messages: Mapping[str, Sequence[object]] = {
            "checks": list(map(check_message, points.checks)),
            "alerts": list(map(AlertMessage.of, points.alerts)),
            "summaries": list(map(SummaryMessage.of, points.summaries)),
        }
        refusals = []
        for body in chain.from_iterable(self._bodies(kind, own) for kind, own in messages.items() if own):
            try:
                self._client.post(interface.WRITE, body)
            except StoreRefused as refusal:
                refusals.append(untraced(refusal))
        if refusals:
            raise StoreRefused.all_of(refusals)

    def _bodies(self, kind: str, messages: Sequence[object]) -> Iterator[bytes]:
        """The bodies of requests with these points of a kind: in halves where one would be too long."""
        body = msgspec.json.encode({**self._here, kind: messages})
        if len(messages) == 1 or (len(messages) <= MOST_POINTS and len(body) <= MOST_BYTES):
            yield body
            return
        middle = len(messages) // 2
        yield from self._bodies(kind, messages[:middle])
        yield from self._bodies(kind, messages[middle:])

    def delete(self, deletion: Deletion) -> Iterator[None]:  # noqa: ARG002 - nothing is
        """Raises `StoreDenied`: the gateway's own configuration says what is kept."""
        raise StoreDenied(f"{self.name} deletes nothing: ask for it where the gateway runs")

    # The reader

    def stats(self, window: Window, *, exact: bool, **_: object) -> Mapping[str, SiteStats]:
        """As the contract has it, but the gateway's database answers for the ends of the window, too."""
        found = self._ask(interface.STATS, **_ends(window), exact="true" if exact else "false")
        return {site.host: site.stats() for site in found}

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        """In halves of the window where one answer would be too long."""
        asked = {} if hosts is None or sum(map(len, hosts)) > LONGEST_CHOICE else {"host": list(hosts)}
        ahead = [window] if hosts is None or hosts else []
        while ahead:
            part = ahead.pop()
            try:
                found = self._ask(interface.RESULTS, **_ends(part), **asked)
            except TooLong:
                if part.length_ms < SMALLEST_WINDOW_MS:
                    raise
                middle_ms = (part.from_ms + part.until_ms) // 2
                ahead += [Window(middle_ms, part.until_ms), Window(part.from_ms, middle_ms)]
                continue
            yield from (check for check in map(check_of, found) if hosts is None or check.host in hosts)

    def alerts(self, window: Window) -> Sequence[Alert]:
        return [found.to(Alert) for found in self._ask(interface.ALERTS, **_ends(window))]

    def last_alerts(self) -> Mapping[str, Alert]:
        return {message.host: message.to(Alert) for message in self._ask(interface.LAST_ALERTS)}

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        found = self._ask(interface.STATES, before=before_ms)
        return {host: state.to(LastState) for host, state in found.items()}

    def last_time(self) -> int | None:
        return self._ask(interface.LAST_TIME)

    def missing(self, window: Window) -> int:
        return self._ask(interface.MISSING, **_ends(window))

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        spans = {"each": SPAN_NAMES[each]} if each else {}
        found = self._ask(interface.COUNTS, **_ends(window), kind=kind, **spans)
        return {(start_ms, host): count for start_ms, own in found.items() for host, count in own.items()}

    def locations(self) -> Sequence[str]:
        return self._client.ask(interface.LOCATIONS, Nothing())

    def is_known(self) -> bool:
        return self._client.ask(interface.KNOWN, Nothing())

    def close(self) -> None:
        self._client.close()

    def _ask(self, endpoint: Endpoint[Asked, Value], **content: Any) -> Value:
        """A question about this location."""
        request: Callable[..., Asked] = endpoint.request
        return self._client.ask(endpoint, request(**self._here, **content))


def _ends(window: Window) -> dict[str, int]:
    return {"from_ms": window.from_ms, "until_ms": window.until_ms}
