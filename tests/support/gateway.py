"""A gateway: inside the tests' own process, or in one of its own as people start it."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitoring.clock import SystemClock
from monitoring.config import parse_database
from monitoring.config.tokens import Tokens
from monitoring.gateway.application import make_application
from monitoring.gateway.certificate import ServedCertificate, TlsFiles
from monitoring.gateway.databases import Databases
from monitoring.gateway.limits import Limits
from monitoring.gateway.server import make_server
from monitoring.gateway.tls import TlsFront, Wsgi, behind
from monitoring.models import Cause, CheckResult
from monitoring.storage.base import Backend
from monitoring.storage.gateway.store import GatewayStore
from monitoring.trust import Trust
from tests.support.influxd import free_port
from tests.support.monitor import PATIENCE_S, ROOT
from tests.support.processes import Running
from tests.support.results import START_MS

HOST = "127.0.0.1"
WRITE_TOKEN = "writes-0123456789abcdef"
READ_TOKEN = "reads-0123456789abcdef"
TOKENS = Tokens(WRITE_TOKEN, READ_TOKEN)
NO_TOKENS = Tokens()
MOST = Limits()
CHECK = CheckResult("https://example.org", START_MS, 2_000, 7, 503, 1_500_000, cause=Cause.STATUS)
"""To be sent through it."""


def only(database: Backend) -> Databases:
    """A gateway's database, the same for every location, which stays open."""
    return Databases(lambda _: database, 10**9)


@contextmanager
def serving(
    database: Backend | Databases,
    tokens: Tokens = NO_TOKENS,
    limits: Limits = MOST,
    tls: TlsFiles | None = None,
    tell_inner: Callable[[int], None] = lambda port: None,
) -> Iterator[int]:
    """A gateway to this database in a thread of this process; yields its port. `tell_inner` hears of that behind TLS."""
    databases = database if isinstance(database, Databases) else only(database)
    application = make_application(databases, tokens, limits, SystemClock())
    with socket.create_server((HOST, 0)) as listening, socket.create_server((HOST, 0)) as inner:
        port = listening.getsockname()[1]
        if tls is None:
            with running(application, listening, limits):
                yield port
            return
        front = TlsFront(listening, ServedCertificate(tls), inner.getsockname(), limits)
        tell_inner(inner.getsockname()[1])
        with running(behind(front, application), inner, limits.behind_front()):
            front.start()
            try:
                yield port
            finally:
                front.close()


@contextmanager
def running(application: Wsgi, listening: socket.socket, limits: Limits) -> Iterator[None]:
    channels: dict[int, Any] = {}
    server: Any = make_server(application, listening, limits, channels=channels)
    thread = threading.Thread(target=server.run, name="gateway")
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):  # a worker's trigger may have run it already, and closed the trigger
            server.trigger.pull_trigger(lambda: server.asyncore.close_all(channels))
        thread.join()
        server.task_dispatcher.shutdown()


@contextmanager
def through_gateway(database: Backend | Databases, location: str = "") -> Iterator[GatewayStore]:
    """The same database, seen through a gateway that asks for no tokens."""
    with serving(database) as port:
        store = client_of(port, location)
        try:
            yield store
        finally:
            store.close()


def environ_of(token: str | None) -> Mapping[str, str]:
    """The environment of a client with this token."""
    return {} if token is None else {"MONITORING_TOKEN": token}


def client_of(port: int, location: str = "", read_timeout: float = 60, token: str | None = None) -> GatewayStore:
    """A client of a gateway on this machine, by plain HTTP."""
    return GatewayStore(parse_database(f"gateway+http://{HOST}:{port}", {}), location, read_timeout, environ_of(token))


@contextmanager
def client(
    port: int, token: str | None = None, tls: Trust | None = None, read_timeout: float = 60
) -> Iterator[GatewayStore]:
    address = replace(parse_database(f"gateway+http://{HOST}:{port}", {}), tls=tls)
    store = GatewayStore(address, "", read_timeout, environ_of(token))
    try:
        yield store
    finally:
        store.close()


class Gateway(Running):
    """A gateway in a process of its own: `with Gateway(config) as gateway: ... gateway.url`. Its port outlives it."""

    def __init__(
        self,
        config: Path,
        *tls: Path,
        listen: str | None = None,
        tokens: Tokens = TOKENS,
        port: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """`tls` are the files of its certificate and key; `listen` is for one that will not start."""
        named = {"MONITORING_WRITE_TOKEN": tokens.write, "MONITORING_READ_TOKEN": tokens.read}
        given = {name: token for name, token in named.items() if token is not None}
        super().__init__(environ={**given, "PYTHONPATH": str(ROOT)})
        self.port = port or free_port()
        self.is_tls = bool(tls)
        files = [f"--tls-{name}={file}" for name, file in zip(("cert", "key"), tls, strict=False)]
        program = [sys.executable, str(ROOT / "monitoringApp.py"), "-g", "-c", str(config)]
        self._command = [*program, "--listen", listen or f"{HOST}:{self.port}", *files, *options]

    @property
    def url(self) -> str:
        """What clients name as their database."""
        return f"gateway+{'https' if self.is_tls else 'http'}://{HOST}:{self.port}"

    def wait_until_it_serves(self) -> None:
        self.until(lambda gateway: any("gateway at" in line for line in gateway.printed))

    def store(self, token: str | None, ca_file: str = "") -> GatewayStore:
        """A client with this token."""
        environ = {"SSL_CERT_FILE": ca_file, **environ_of(token)}
        return GatewayStore(parse_database(self.url, environ), "", PATIENCE_S, environ)
