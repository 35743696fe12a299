"""The WSGI server, waitress: one loop reads requests and sends answers; threads work only on complete requests."""

import logging
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import msgspec
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask

from monitoring.config.keys.databases import ListenAddress
from monitoring.errors import StoreUnavailable
from monitoring.gateway.certificate import ServedCertificate
from monitoring.gateway.limits import Limits
from monitoring.gateway.tls import TlsFront, Wsgi, behind
from monitoring.storage.gateway.interface import RefusedAnswer
from monitoring.storage.gateway.messages import LONGEST_WORDS

BACKLOG = 1_024

LOOPBACK = "127.0.0.1"


class JsonErrorTask(ErrorTask):
    """A refusal by waitress itself, in the same JSON as all other errors."""

    def execute(self) -> None:
        error: Any = self.request.error  # type: ignore[attr-defined]  # the package's types lack it
        self.channel.server.refused(error.code, str(self.channel.addr[0]))  # type: ignore[attr-defined]
        words = "".join(letter if letter.isprintable() else " " for letter in str(error.body))[:LONGEST_WORDS]
        body = msgspec.json.encode(RefusedAnswer(words))
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)


class PatientChannel(HTTPChannel):
    """A connection whose requests must be complete in time: a byte now and then does not keep it open.

    waitress closes a channel some time after its last activity. Here an incomplete request does not count as activity.
    """

    error_task_class = JsonErrorTask
    begun: float | None = None

    def received(self, data: bytes) -> bool:
        taken = bool(super().received(data))
        if self.request is None:
            self.begun = None
        elif self.begun is None:
            self.begun = self.last_activity
        else:
            self.last_activity = self.begun
        return taken


def listen(address: ListenAddress) -> socket.socket:
    """A listening socket. Raises `StoreUnavailable`."""
    try:
        family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(place[0]), int(place[1])), family=family, backlog=BACKLOG)
    except OSError as error:
        raise StoreUnavailable(f"--listen {address}: {error.strerror or error}") from error


Refused = Callable[[int, str], None]
"""Called for each request that the server refuses before the application: status of the answer, address of the client."""


def ignore_refused(status: int, address: str) -> None:
    """A `Refused` that does nothing."""


def run_server(
    application: Wsgi,
    listening: socket.socket,
    tls: ServedCertificate | None,
    limits: Limits,
    refused: Refused = ignore_refused,
) -> None:
    """Serve on this socket until SystemExit is raised in this thread; with TLS if there is a certificate."""
    if tls is None:
        make_server(application, listening, limits, refused).run()
        return
    with listen(ListenAddress(LOOPBACK, 0)) as inner:
        front = TlsFront(listening, tls, inner.getsockname()[:2], limits)
        front.start()
        make_server(behind(front, application), inner, limits.behind_front(), refused).run()
        front.close()


def end() -> NoReturn:
    """End `run_server` after the requests that are under way. A signal handler calls it in the thread of `run_server`."""
    sys.exit(0)


def make_server(
    application: Wsgi,
    listening: socket.socket,
    limits: Limits,
    refused: Refused = ignore_refused,
    channels: dict[int, Any] | None = None,
) -> BaseWSGIServer:
    """A server on this socket; `run` serves until SystemExit is raised in its thread, or `channels` is empty.

    The server enters all that it reads and writes into `channels`.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns whenever a request waits for a moment
    server: BaseWSGIServer = create_server(  # type: ignore[assignment]  # several sockets would give another type
        application,
        channels,
        sockets=[listening],
        threads=limits.threads,
        connection_limit=limits.connections,
        asyncore_use_poll=True,  # `select` is limited to 1024 files
        backlog=BACKLOG,
        channel_timeout=limits.request_s,
        cleanup_interval=max(1, limits.request_s // 6),
        max_request_header_size=65_536,
        max_request_body_size=limits.body_bytes,
        clear_untrusted_proxy_headers=True,
        log_socket_errors=False,
        ident=None,
    )
    server.refused = refused  # type: ignore[attr-defined]  # channels have access only to their server
    server.channel_class = partial(_admit, limits.address_connections)  # type: ignore[assignment]  # waitress only calls it
    return server


def _admit(most: int, server: Any, connection: socket.socket, address: tuple[Any, ...], *rest: Any, **more: Any) -> None:
    """Make a channel for this connection, or close it if its address has too many, so that one client cannot take all."""
    if sum(channel.addr[0] == address[0] for channel in server.active_channels.values()) >= most:
        connection.close()
    else:
        PatientChannel(server, connection, address, *rest, **more)
