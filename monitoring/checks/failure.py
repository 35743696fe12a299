"""Why a check failed, in one word for the statistics and one sentence for people."""

from dataclasses import dataclass
from types import MappingProxyType

import pycurl

from monitoring.fields import LONGEST_DETAIL
from monitoring.models import Cause

DETAIL_LENGTH = LONGEST_DETAIL
"""How many characters of a detail are kept."""

TOO_LARGE = 100
"""libcurl's code for "a header grew larger than allowed"; pycurl has no name for it."""

PROXY = 97
"""libcurl's code for "a proxy could not make the connection"; pycurl has no name for it."""

HTTP2_STREAM = 92
"""libcurl's code for "HTTP/2 framing of one answer"; pycurl has no name for it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was wrong with a check; `detail` is printable, short and free of secrets."""

    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a failed transfer had come."""

    by_tls: bool
    in_handshake: bool  # TCP was connected, TLS was not
    request_sent: bool
    redirected: bool


NO_HTTP = "the answer is not HTTP"

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
        # Only http and https are ever asked for, so this is an answer that is not HTTP.
        pycurl.E_UNSUPPORTED_PROTOCOL: Cause.PROTOCOL,
        pycurl.E_FTP_WEIRD_SERVER_REPLY: Cause.PROTOCOL,  # the same number for HTTP; it lost its "FTP" long ago
        pycurl.E_PARTIAL_FILE: Cause.PROTOCOL,
        pycurl.E_GOT_NOTHING: Cause.PROTOCOL,
        pycurl.E_RECV_ERROR: Cause.PROTOCOL,
        pycurl.E_BAD_CONTENT_ENCODING: Cause.PROTOCOL,  # of a Transfer-Encoding
        TOO_LARGE: Cause.PROTOCOL,
    }
)

LOST_MIDWAY = frozenset({pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR})
"""libcurl's codes for a connection that broke while it was used."""

_LOST_CONNECTION = LOST_MIDWAY | {pycurl.E_GOT_NOTHING}


def transfer_fault(code: int, text: str, progress: Progress) -> Fault:
    """Translate libcurl's error `code` and its `text`, which names hosts and ports but no path, query or login."""
    words = NO_HTTP if "HTTP/0.9" in text else text or pycurl.easy_strerror(code)
    if _refused_silently(code, progress):
        words = f"after the TLS handshake: {words}"
    return Fault(_transfer_cause(code, text, progress), printable(words))


def _refused_silently(code: int, progress: Progress) -> bool:
    """Whether the other side was gone before the first byte of a request by TLS.

    TLS 1.3 refuses a client, say for its certificate, when the client has long begun to talk: where the connection is reset
    at once, the reason may be lost on the way.
    """
    return code == pycurl.E_SEND_ERROR and progress.by_tls and not progress.in_handshake and not progress.request_sent


def ends_with_tls(text: str) -> bool:
    """Whether libcurl's `text` says that the other side left without taking leave of TLS (close_notify).

    OpenSSL 3 calls this an error. Many servers do so, and where only the end of the connection tells the end of a page,
    browsers take the page for whole.
    """
    return "unexpected eof while reading" in text


def refuses_protocol(text: str) -> bool:
    """Whether libcurl's `text` says that the server speaks no version of HTTP that TLS offered it (ALPN)."""
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
        return Cause.REDIRECTS  # a host that browsers ask for, but libcurl does not
    return _CAUSES.get(code, Cause.ERROR)


def printable(text: str) -> str:
    """`text` in one line: control and other invisible characters escaped; what is too long ends in "…", after a word."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[: DETAIL_LENGTH + 1])
    if len(shown) <= DETAIL_LENGTH:
        return shown
    cut = shown[: DETAIL_LENGTH - 1]
    return f"{cut[: cut.rfind(' ', DETAIL_LENGTH // 2)] if ' ' in cut[DETAIL_LENGTH // 2 :] else cut}…"
