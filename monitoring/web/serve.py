"""`-w`: opens the address of the status page and serves the page."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from monitoring.clock import Clock
from monitoring.config.keys.databases import ListenAddress
from monitoring.config.tokens import READ, Tokens
from monitoring.errors import ConfigError
from monitoring.gateway import output
from monitoring.gateway.certificate import ServedCertificate, TlsFiles
from monitoring.gateway.limits import Limits
from monitoring.gateway.server import listen, run_server
from monitoring.web.application import LOOPBACK_NAMES, make_application
from monitoring.web.board import Board

LIMITS = Limits(
    body_bytes=1_024,  # requests have no body
    requests_per_s=50,
    burst=500,
    threads=8,
    connections=200,
    address_connections=50,
    request_s=15,
)
"""A page with its files takes four requests, and then one every ten seconds."""

PLAIN = "warning: without --tls-cert and --tls-key the token can be read on its way: put a proxy with TLS in front"


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to serve the page, and to whom: a socket that listens already, with tokens and certificate."""

    address: ListenAddress
    tokens: Tokens
    certificate: ServedCertificate | None
    listening: socket.socket


def open_listener(address: ListenAddress, tokens: Tokens, tls: TlsFiles | None) -> Listener:
    """Raises `ConfigError` if a token is missing or files are unusable, `StoreUnavailable` if the address is in use."""
    if not tokens.required and not address.is_loopback:
        raise ConfigError([f"--listen {address}: set {READ} (or {READ}_FILE): others can reach this address"])
    return Listener(address, tokens, ServedCertificate(tls) if tls else None, listen(address))


def serve(board: Board, listener: Listener, clock: Clock, read: Callable[[], None], stop_reading: Callable[[], None]) -> int:
    """Serve until `server.end` is called in this thread. Returns the exit status. `read` begins to fill the board."""
    address, tokens = listener.address, listener.tokens
    application = make_application(board, tokens, LIMITS, clock, host_names(address, tokens))
    with listener.listening as listening:
        read()
        try:
            output.say(f"status page at {'https' if listener.certificate else 'http'}://{address}/")
            if listener.certificate is None and not address.is_loopback:
                output.warn(PLAIN)
            run_server(application, listening, listener.certificate, LIMITS)
        finally:
            stop_reading()
    return 0


def host_names(address: ListenAddress, tokens: Tokens) -> frozenset[str] | None:
    """The allowed values of the header `Host`; None: any.

    Without a token this prevents DNS rebinding: another site could let its own name point to this address, and its page
    could then read what only this machine may read.
    """
    if tokens.required:
        return None
    own = f"[{address.host}]" if ":" in address.host else address.host.lower()
    return frozenset({*LOOPBACK_NAMES, own})
