"""A gateway as a backend: `./monitoringApp.py -g` on the machine that has the database."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import msgspec
import requests

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.config.tokens import CLIENT, client_token
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable, untraced
from monitoring.models import Alert, CheckResult, LastState, SiteStats, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Counts, Deletion, DeliveryRecord, Points
from monitoring.storage.gateway import interface
from monitoring.storage.gateway.interface import (
    LONGEST_BODY,
    MOST_POINTS,
    Asked,
    Endpoint,
    RecordMessage,
    RefusedAnswer,
    Value,
)
from monitoring.storage.gateway.messages import (
    SPAN_NAMES,
    AlertMessage,
    Malformed,
    SummaryMessage,
    check_message,
    check_of,
    decode,
)
from monitoring.storage.sessions import TrustingSession, failure, one_line

CONNECT_TIMEOUT_S = 2.0

MOST_BYTES = 4 << 20
"""Of one request: what every gateway takes."""

LONGEST_CHOICE = 1_000
"""Characters of the hosts that a question names, because its address must stay short. For more, the answer is filtered."""

SMALLEST_WINDOW_MS = 2
"""A shorter window cannot be halved."""

LONGEST_REASON = 160
"""Characters of the gateway's own words that are passed on."""


class TooLong(StoreUnavailable):
    """The answer would be longer than a gateway gives: ask for less."""


class GatewayStore:
    """Keeps `Backend` by a gateway's HTTP interface, for one location. No error contains the token.

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
        self.name = f"gateway at {address.server}"
        self._url = address.url
        self._timeout = (CONNECT_TIMEOUT_S, read_timeout)
        self._session = TrustingSession(address.tls)
        if token := client_token(environ):
            self._session.headers["Authorization"] = f"Bearer {token}"
        self._here = {"location": location} if location else {}

    def ping(self) -> None:
        """Return when the gateway and its database answer."""
        self._exchange(interface.HEALTH)

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
                self._post(interface.WRITE, body)
            except StoreRefused as refusal:
                refusals.append(untraced(refusal))
        if refusals:
            raise StoreRefused.all_of(refusals)

    def _bodies(self, kind: str, messages: Sequence[object]) -> Iterator[bytes]:
        """The bodies of requests with these points of a kind: in halves where one would be too long."""
        if len(messages) <= MOST_POINTS:
            body = msgspec.json.encode({**self._here, kind: messages})
            if len(messages) == 1 or len(body) <= MOST_BYTES:
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
        return self._exchange(interface.LOCATIONS)

    def is_known(self) -> bool:
        return self._exchange(interface.KNOWN)

    def close(self) -> None:
        self._session.close()

    # HTTP

    def _ask(self, endpoint: Endpoint[Asked, Value], **content: Any) -> Value:
        """The answer about this location. Raises `StoreError`: `TooLong` when the answer would be too long."""
        make: Callable[..., Asked] = endpoint.request
        request = make(**self._here, **content)
        if endpoint.method == "POST":
            return self._post(endpoint, msgspec.json.encode(request))
        return self._exchange(endpoint, params=msgspec.to_builtins(request))

    def _post(self, endpoint: Endpoint[Asked, Value], body: bytes) -> Value:
        """Send JSON. Raises `StoreRefused` when the gateway will never take it."""
        if len(body) > LONGEST_BODY:  # we might not receive a refusal that the gateway sends while we send
            raise StoreRefused(f"{self.name} takes {LONGEST_BODY >> 20} MB at once")
        return self._exchange(endpoint, data=body, headers={"Content-Type": "application/json"})

    def _exchange(self, endpoint: Endpoint[Asked, Value], **content: Any) -> Value:
        url = self._url + endpoint.path
        try:
            answer = self._session.request(endpoint.method, url, timeout=self._timeout, allow_redirects=False, **content)
            if answer.status_code != requests.codes.ok:
                raise self._rejection(answer, is_writing=endpoint.method == "POST")
            found: Value = getattr(decode(answer.content, endpoint.answer), endpoint.key)
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"{self.name} {failure(error, 'a gateway')}") from untraced(error)
        return found

    def _rejection(self, answer: requests.Response, *, is_writing: bool) -> StoreError:
        status, refusal = answer.status_code, _refusal(answer)
        reason = f": {refusal.error}" if refusal.error else ""
        if status == 401 and "Authorization" not in self._session.headers:
            return StoreDenied(
                f"{self.name} wants a token: set {CLIENT}, or {CLIENT}_FILE, the name of a file that holds it"
            )
        if status in (401, 403):
            return StoreDenied(f"{self.name} denies access{reason}")
        if status in (400, 413, 422) and is_writing:
            refused = f"{self.name} refused{reason}"
            return StoreRefused(refused, dropped=refusal.dropped, field=refusal.field, by_age=refusal.by_age)
        if status == 413:
            return TooLong(f"{self.name} refused{reason}")
        if status == 404:
            return StoreUnavailable(f"{self.name} is older than this program, or no gateway{reason}")
        return StoreUnavailable(f"{self.name} answered {status}{reason}")


def _ends(window: Window) -> dict[str, int]:
    return {"from_ms": window.from_ms, "until_ms": window.until_ms}


def _refusal(answer: requests.Response) -> RefusedAnswer:
    """The gateway's words, in one short line; empty when there are none."""
    refusal = RefusedAnswer("")
    with suppress(Malformed, msgspec.DecodeError):
        refusal = decode(answer.content, RefusedAnswer)
    refusal.error = one_line(refusal.error)[:LONGEST_REASON]
    return refusal
