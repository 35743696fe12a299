"""`-g`: from a configuration to a gateway that runs."""

import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from monitoring.clock import Clock, SystemClock
from monitoring.config import DEFAULT_DATABASE, Config, parse_database
from monitoring.config.databases import ListenAddress, parse_listen
from monitoring.config.tokens import READ, WRITE, Tokens, gateway_tokens
from monitoring.errors import ConfigError, StoreError
from monitoring.gateway import output
from monitoring.gateway.application import make_application
from monitoring.gateway.database import Database, FileDatabase, open_database
from monitoring.gateway.limits import Limits
from monitoring.gateway.server import listen, make_server
from monitoring.gateway.tls import TlsFiles, TlsFront, Wsgi, behind, make_context

PACKING_S = 1.0
LOOPBACK = "127.0.0.1"


def serve_as_asked(
    config: Config, listen: str, tls_cert: Path | None, tls_key: Path | None, environ: Mapping[str, str]
) -> int:
    """`-g` with its flags."""
    tls = TlsFiles(tls_cert, tls_key) if tls_cert and tls_key else None
    return serve(config, parse_listen(listen), environ, tls)


def serve(
    config: Config,
    address: ListenAddress,
    environ: Mapping[str, str],
    tls: TlsFiles | None = None,
    limits: Limits | None = None,
) -> int:
    """Serve the configuration's database at this address until SIGTERM or Ctrl-C; returns the exit status.

    Raises `ConfigError` when tokens are missing or files cannot be used, `StoreError` when nothing can be opened.
    """
    tokens = _tokens_for(address, environ)
    clock, limits = SystemClock(), limits or Limits()
    where = config.database or parse_database(DEFAULT_DATABASE, {})
    context = make_context(tls) if tls else None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    database = open_database(config, where)
    try:
        application: Wsgi = make_application(database, tokens, limits, clock)
        with _packing(database, clock), listen(address) as listening:
            output.say(f"gateway at {'https' if tls else 'http'}://{address}, database {where.masked}")
            for warning in _warnings(address, tokens, tls):
                output.warn(warning)
            if context is None:
                make_server(application, listening, limits).run()
                return 0
            with listen(ListenAddress(LOOPBACK, 0)) as inner:
                front = TlsFront(listening, context, inner.getsockname()[:2], limits.connections)
                front.start()
                make_server(behind(front, application), inner, limits).run()
                front.close()
                return 0
    finally:
        database.close()


def _end(*_: object) -> NoReturn:
    """A signal ends the server's loop, which finishes what it has begun."""
    sys.exit(0)


def _tokens_for(address: ListenAddress, environ: Mapping[str, str]) -> Tokens:
    """The tokens of the environment; none are needed where nobody else can come."""
    tokens = gateway_tokens(environ)
    if not tokens.required and not address.is_loopback:
        raise ConfigError([f"--listen {address}: set {WRITE} and {READ} (or …_FILE): others can reach this address"])
    return tokens


def _warnings(address: ListenAddress, tokens: Tokens, tls: TlsFiles | None) -> Iterator[str]:
    if tokens.required and tokens.write is None:
        yield f"warning: {WRITE} is not set: nobody may write"
    if tokens.required and tokens.read is None:
        yield f"warning: {READ} is not set: nobody may read"
    if tls is None and not address.is_loopback:
        yield "warning: without --tls-cert and --tls-key tokens can be read on their way: put a proxy with TLS in front"


@contextmanager
def _packing(database: Database, clock: Clock) -> Iterator[None]:
    """A local file is packed while it is used, as a monitor's own is; a database sees to itself."""
    stop = threading.Event()
    packer = threading.Thread(target=_keep_packing, args=(database, clock, stop), name="packer", daemon=True)
    packer.start()
    try:
        yield
    finally:
        stop.set()
        packer.join()


def _keep_packing(database: Database, clock: Clock, stop: threading.Event) -> None:
    if not isinstance(database, FileDatabase):
        return
    while not clock.wait(stop, PACKING_S):
        try:
            while not stop.is_set() and database.pack(clock.now_ms()):
                pass
        except StoreError as error:
            output.warn(f"{error}")
