"""HTTP to databases and gateways: which certificates are trusted, and what the errors of `requests` mean."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from monitoring.trust import MOZILLA, Trust, bundle, tls_trouble

POOL_SIZE = 8
"""Connections kept open: more than there are threads that use one store, so that none is thrown away."""

_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.Timeout, "does not answer in time"),
    (requests.exceptions.ConnectionError, "does not answer"),
    (requests.exceptions.ChunkedEncodingError, "does not answer"),  # the answer ends in the middle, chunked or not
    (requests.RequestException, "does not answer as {} does"),
    (OSError, "cannot be asked by TLS: the certificates to trust cannot be read"),
    (Exception, "does not answer as {} does"),
)
"""Errors in words. The first line that fits counts."""


class TrustingSession(requests.Session):
    """Trusts these authorities; their files may change while it is open."""

    def __init__(self, trust: Trust | None) -> None:
        """None: plain HTTP."""
        super().__init__()
        self.trust_env = False  # HTTP_PROXY would be honoured even for localhost, and ~/.netrc override credentials
        self._bundle = bundle(trust or MOZILLA)
        self.verify = self._bundle.path
        for scheme in ("http://", "https://"):
            self.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE))

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        self._bundle.refresh()
        return super().send(request, **more)

    def close(self) -> None:
        super().close()
        self._bundle.close()


def one_line(text: str) -> str:
    """A server's words, without line breaks and control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def failure(error: Exception, whom: str) -> str:
    """What is wrong with a server that should be `whom`: "an InfluxDB"."""
    if isinstance(error, requests.exceptions.SSLError):
        return tls_trouble(error)
    return next(text for kind, text in _FAILURES if isinstance(error, kind)).format(whom)
