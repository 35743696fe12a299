"""Why a check failed: a cause for the statistics and a sentence for people."""

import os
from dataclasses import dataclass
from types import MappingProxyType

import pycurl

from monitoring.fields import LONGEST_DETAIL
from monitoring.models import Cause

DETAIL_LENGTH = LONGEST_DETAIL
"""How many characters of a detail are kept."""

TOO_LARGE = 100
"""libcurl's code for "headers are larger than allowed"; pycurl has no name for it."""

PROXY = 97
"""libcurl's code for "the proxy handshake failed"; pycurl has no name for it."""

HTTP2_STREAM = 92
"""libcurl's code for "an HTTP/2 stream broke"; pycurl has no name for it."""


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """Why a check failed. `detail` is printable, short and holds no secrets."""

    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a failed transfer got."""

    by_tls: bool
    in_handshake: bool  # TCP was connected, TLS was not yet
    request_sent: bool
    redirected: bool
    os_error: int = 0  # the system's number of what was wrong with the last connection; 0: not known


NO_HTTP = "the answer is not HTTP"

NOT_CONNECTED = "Could not connect to server"
"""How libcurl ends its sentence on a connection that failed, whatever the reason was."""

_CAUSES = MappingProxyType(
    {
        pycurl.E_COULDNT_RESOLVE_HOST: Cause.DNS,
        pycurl.E_COULDNT_RESOLVE_PROXY: Cause.DNS,
        PROXY: Cause.CONNECT,
        pycurl.E_HTTP2: Cause.PROTOCOL,
        HTTP2_STREAM: Cause.PROTOCOL,
        pycurl.E_COULDNT_CONNECT: Cause.CONNECT,
        pycurl.E_OPERATION_TIMEDOUT: Cause.TIMEOUT,
        pycurl.E_SSL_CONNECT_ERROR: Cause.TLS,
        pycurl.E_SSL_CERTPROBLEM: Cause.TLS,
        pycurl.E_SSL_CIPHER: Cause.TLS,
        pycurl.E_PEER_FAILED_VERIFICATION: Cause.TLS,
        pycurl.E_SSL_ISSUER_ERROR: Cause.TLS,
        pycurl.E_SSL_INVALIDCERTSTATUS: Cause.TLS,
        # Requests are only ever made by http and https, so this is an answer that is not HTTP.
        pycurl.E_UNSUPPORTED_PROTOCOL: Cause.PROTOCOL,
        pycurl.E_FTP_WEIRD_SERVER_REPLY: Cause.PROTOCOL,  # libcurl calls it CURLE_WEIRD_SERVER_REPLY today
        pycurl.E_PARTIAL_FILE: Cause.PROTOCOL,
        pycurl.E_GOT_NOTHING: Cause.PROTOCOL,
        pycurl.E_RECV_ERROR: Cause.PROTOCOL,
        pycurl.E_BAD_CONTENT_ENCODING: Cause.PROTOCOL,  # a broken Transfer-Encoding
        TOO_LARGE: Cause.PROTOCOL,
    }
)

LOST_MIDWAY = frozenset({pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR})
"""libcurl's codes for a connection that broke while it was in use."""

_LOST_CONNECTION = LOST_MIDWAY | {pycurl.E_GOT_NOTHING}


def transfer_failure(code: int, text: str, progress: Progress) -> CheckFailure:
    """Translate libcurl's error `code` and its `text`, which may name hosts and ports but no path, query or login."""
    words = NO_HTTP if "HTTP/0.9" in text else text or pycurl.easy_strerror(code)
    if progress.os_error and words.endswith(NOT_CONNECTED):
        words = words.removesuffix(NOT_CONNECTED) + os.strerror(progress.os_error)
    if _refused_silently(code, progress):
        words = f"after the TLS handshake: {words}"
    return CheckFailure(_transfer_cause(code, text, progress), printable(words))


def _refused_silently(code: int, progress: Progress) -> bool:
    """Whether the server closed the connection after the TLS handshake, before the request was sent.

    In TLS 1.3 a server refuses a client, for example because of its certificate, after the client's part of the handshake
    is over. When the server also resets the connection, its reason can get lost.
    """
    return code == pycurl.E_SEND_ERROR and progress.by_tls and not progress.in_handshake and not progress.request_sent


def ends_with_tls(text: str) -> bool:
    """Whether libcurl's `text` says that the server closed the connection without TLS's close_notify.

    OpenSSL 3 calls this an error, but many servers do it. Where the end of the connection marks the end of the body,
    browsers accept the page as complete.
    """
    return "unexpected eof while reading" in text


def refuses_protocol(text: str) -> bool:
    """Whether libcurl's `text` says that the server accepts no version of HTTP that TLS offered (ALPN)."""
    return "no application protocol" in text


def _transfer_cause(code: int, text: str, progress: Progress) -> Cause:
    if text.startswith("Proxy CONNECT"):
        return Cause.CONNECT
    refused = ("SSL routines" in text and not ends_with_tls(text)) or _refused_silently(code, progress)
    if code in _LOST_CONNECTION and (progress.in_handshake or refused):
        return Cause.TLS
    if code == pycurl.E_SEND_ERROR:
        return Cause.PROTOCOL if progress.request_sent else Cause.CONNECT
    if code == pycurl.E_URL_MALFORMAT and progress.redirected:
        return Cause.REDIRECTS  # a host that browsers accept and libcurl does not
    return _CAUSES.get(code, Cause.ERROR)


def printable(text: str) -> str:
    """`text` in one line: invisible characters are escaped, and a text that is too long is cut after a word, with "…"."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[: DETAIL_LENGTH + 1])
    if len(shown) <= DETAIL_LENGTH:
        return shown
    cut = shown[: DETAIL_LENGTH - 1]
    return f"{cut[: cut.rfind(' ', DETAIL_LENGTH // 2)] if ' ' in cut[DETAIL_LENGTH // 2 :] else cut}…"
