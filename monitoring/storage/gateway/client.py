"""HTTP to a gateway by `requests`, with our own messages and errors."""

from contextlib import suppress
from typing import Any

import msgspec
import requests

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.config.tokens import CLIENT
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable, untraced
from monitoring.storage.gateway.interface import LONGEST_BODY, Asked, Endpoint, RefusedAnswer, Value
from monitoring.storage.gateway.messages import Malformed, decode
from monitoring.storage.sessions import TrustingSession, failure, one_line

LONGEST_REASON = 160
"""Characters of the gateway's own words that are passed on."""


class TooLong(StoreUnavailable):
    """The answer would be longer than a gateway gives: ask for less."""


class GatewayClient:
    """Sends requests to one gateway. Every error is one of `monitoring.errors`, without the token.

    Several threads may use one client at once, as the connection pool of `requests` allows.
    """

    def __init__(self, address: DatabaseAddress, token: str | None, timeout: tuple[float, float]) -> None:
        """`timeout`: seconds to connect, and for each answer."""
        self.name = f"gateway at {address.server}"
        self._url = address.url
        self._timeout = timeout
        self._session = TrustingSession(address.tls)
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, endpoint: Endpoint[Asked, Value], request: Asked) -> Value:
        """The answer. Raises `StoreError`: `TooLong` when the answer would be too long, `StoreRefused` as `post` does."""
        if endpoint.method == "POST":
            return self.post(endpoint, msgspec.json.encode(request))
        return self._exchange(endpoint, params=msgspec.to_builtins(request))

    def post(self, endpoint: Endpoint[Asked, Value], body: bytes) -> Value:
        """Send JSON. Raises `StoreRefused` when the gateway will never take it, else as `ask` does."""
        if len(body) > LONGEST_BODY:  # we might not receive a refusal that the gateway sends while we send
            raise StoreRefused(f"{self.name} takes {LONGEST_BODY >> 20} MB at once")
        return self._exchange(endpoint, data=body, headers={"Content-Type": "application/json"})

    def close(self) -> None:
        self._session.close()

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


def _refusal(answer: requests.Response) -> RefusedAnswer:
    """The gateway's words, in one short line; empty when there are none."""
    refusal = RefusedAnswer("")
    with suppress(Malformed, msgspec.DecodeError):
        refusal = decode(answer.content, RefusedAnswer)
    refusal.error = one_line(refusal.error)[:LONGEST_REASON]
    return refusal
