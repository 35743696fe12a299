"""`-w`: the server of the status page, from an address to the end."""

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
    body_bytes=1_024,  # nobody sends anything
    requests_per_s=50,
    burst=500,
    threads=8,
    connections=200,
    address_connections=50,
    request_s=15,
)
"""A page with all that belongs to it is four requests, and one every ten seconds later."""

PLAIN = "warning: without --tls-cert and --tls-key the token can be read on its way: put a proxy with TLS in front"


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where the page is served, and to whom: a socket that listens there already."""

    address: ListenAddress
    tokens: Tokens
    certificate: ServedCertificate | None
    listening: socket.socket


def open_entrance(address: ListenAddress, tokens: Tokens, tls: TlsFiles | None) -> Entrance:
    """Raises `ConfigError` when a token is missing or files cannot be used, `StoreUnavailable` when the address is taken."""
    if not tokens.required and not address.is_loopback:
        raise ConfigError([f"--listen {address}: set {READ} (or {READ}_FILE): others can reach this address"])
    return Entrance(address, tokens, ServedCertificate(tls) if tls else None, listen(address))


def serve(board: Board, entrance: Entrance, clock: Clock, read: Callable[[], None], stop_reading: Callable[[], None]) -> int:
    """Serve until `server.end` is called in this thread; returns the exit status. `read` begins to fill the board."""
    address, tokens = entrance.address, entrance.tokens
    application = make_application(board, tokens, LIMITS, clock, host_names(address, tokens))
    with entrance.listening as listening:
        read()
        try:
            output.say(f"status page at {'https' if entrance.certificate else 'http'}://{address}/")
            if entrance.certificate is None and not address.is_loopback:
                output.warn(PLAIN)
            run_server(application, listening, entrance.certificate, LIMITS)
        finally:
            stop_reading()
    return 0


def host_names(address: ListenAddress, tokens: Tokens) -> frozenset[str] | None:
    """What a request may call this host; None: anything.

    Without a token a page of another site could make a name of its own lead here, and read what only this machine may.
    """
    if tokens.required:
        return None
    own = f"[{address.host}]" if ":" in address.host else address.host.lower()
    return frozenset({*LOOPBACK_NAMES, own})
