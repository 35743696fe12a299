"""Why a check failed, in one word for the statistics and one sentence for people."""

from dataclasses import dataclass
from types import MappingProxyType

import pycurl

from monitoring.models import Cause

DETAIL_LENGTH = 200
"""How many characters of a detail are kept."""

TOO_LARGE = 100
"""libcurl's code for "a header grew larger than allowed"; pycurl has no name for it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was wrong with a check; `detail` is printable, short and free of secrets."""

    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a failed transfer had come."""

    in_handshake: bool  # TCP was connected, TLS was not
    request_sent: bool
    redirected: bool


_CAUSES = MappingProxyType(
    {
        pycurl.E_COULDNT_RESOLVE_HOST: Cause.DNS,
        pycurl.E_COULDNT_CONNECT: Cause.CONNECT,
        pycurl.E_OPERATION_TIMEDOUT: Cause.TIMEOUT,
        pycurl.E_SSL_CONNECT_ERROR: Cause.TLS,
        pycurl.E_SSL_CERTPROBLEM: Cause.TLS,
        pycurl.E_SSL_CIPHER: Cause.TLS,
        pycurl.E_PEER_FAILED_VERIFICATION: Cause.TLS,
        pycurl.E_SSL_ISSUER_ERROR: Cause.TLS,
        pycurl.E_SSL_INVALIDCERTSTATUS: Cause.TLS,
        # Only http and https are ever asked for, so this is an answer that is not HTTP (or HTTP/0.9).
        pycurl.E_UNSUPPORTED_PROTOCOL: Cause.PROTOCOL,
        pycurl.E_FTP_WEIRD_SERVER_REPLY: Cause.PROTOCOL,  # the same number for HTTP; it lost its "FTP" long ago
        pycurl.E_PARTIAL_FILE: Cause.PROTOCOL,
        pycurl.E_GOT_NOTHING: Cause.PROTOCOL,
        pycurl.E_RECV_ERROR: Cause.PROTOCOL,
        pycurl.E_BAD_CONTENT_ENCODING: Cause.PROTOCOL,
        pycurl.E_WRITE_ERROR: Cause.PROTOCOL,  # the decoder's: our own callback refuses data at the cap only
        TOO_LARGE: Cause.PROTOCOL,
    }
)

_LOST_CONNECTION = frozenset({pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR, pycurl.E_GOT_NOTHING})


def transfer_fault(code: int, text: str, progress: Progress) -> Fault:
    """Translate libcurl's error `code` and its `text`, which names hosts and ports but no path, query or login."""
    return Fault(_transfer_cause(code, progress), printable(text or pycurl.easy_strerror(code)))


def _transfer_cause(code: int, progress: Progress) -> Cause:
    if code in _LOST_CONNECTION and progress.in_handshake:
        return Cause.TLS
    if code == pycurl.E_SEND_ERROR:
        return Cause.PROTOCOL if progress.request_sent else Cause.CONNECT
    if code == pycurl.E_URL_MALFORMAT and progress.redirected:
        return Cause.REDIRECTS
    return _CAUSES.get(code, Cause.ERROR)


def printable(text: str) -> str:
    """`text` with control and other invisible characters escaped, cut to `DETAIL_LENGTH`."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:DETAIL_LENGTH])
    return shown[:DETAIL_LENGTH]
