"""`-g`: opens the database of a configuration and serves it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack

from monitoring.clock import SystemClock
from monitoring.config import DEFAULT_DATABASE, Config, ConfigWatcher, parse_database
from monitoring.config.keys.databases import ListenAddress
from monitoring.config.tokens import READ, WRITE, Tokens, gateway_tokens
from monitoring.errors import ConfigError
from monitoring.gateway import output
from monitoring.gateway.application import make_application, mount
from monitoring.gateway.certificate import ServedCertificate, TlsFiles
from monitoring.gateway.databases import Databases, open_databases
from monitoring.gateway.limits import Limits
from monitoring.gateway.refusals import Refusals
from monitoring.gateway.server import Refused, end, listen, run_server
from monitoring.gateway.tls import Wsgi
from monitoring.gateway.upkeep import UpkeepThread
from monitoring.service.signals import heed_signals

Page = Callable[[Databases, Tokens, Refused], AbstractContextManager[Wsgi]]
"""Opens the status page of this database, for the time that the gateway runs, to people who may read."""

PAGE_AT = "/status"


def serve(
    config: Config,
    watcher: ConfigWatcher,
    address: ListenAddress,
    environ: Mapping[str, str],
    tls: TlsFiles | None = None,
    page: Page | None = None,
) -> int:
    """Serve the configuration's database at this address until SIGTERM or Ctrl-C; returns the exit status.

    The gateway follows the configuration through `watcher`, but another database needs a restart. It also serves `page`.
    Raises `ConfigError` if tokens are missing or files are unusable, `StoreError` if database or address cannot be opened.
    """
    tokens = _tokens_for(address, environ)
    clock, limits = SystemClock(), Limits()
    where = config.database or parse_database(DEFAULT_DATABASE, {})
    certificate = ServedCertificate(tls) if tls else None
    heed_signals(end, watcher.ask)
    databases = open_databases(config, where, limits.locations)
    with ExitStack() as stack:
        stack.callback(databases.close)
        refusals = Refusals()
        upkeep = stack.enter_context(UpkeepThread(databases, config, watcher, clock, refusals))
        application = make_application(databases, tokens, limits, clock, refusals, PAGE_AT if page else "", upkeep.sites)
        listening = stack.enter_context(listen(address))
        if page:
            mount(application, PAGE_AT, stack.enter_context(page(databases, tokens, refusals.note)))
        base = f"{'https' if tls else 'http'}://{address}"
        output.say(f"gateway at {base}, database {where.masked}")
        for line in (_access(tokens), *((f"status page at {base}{PAGE_AT}/",) if page else ())):
            output.say(line)
        for warning in _warnings(address, tls):
            output.warn(warning)
        run_server(application, listening, certificate, limits, refusals.note)
    return 0


def _tokens_for(address: ListenAddress, environ: Mapping[str, str]) -> Tokens:
    """The tokens in the environment; none are needed if only this machine can connect."""
    tokens = gateway_tokens(environ)
    if not tokens.required and not address.is_loopback:
        raise ConfigError([f"--listen {address}: set {WRITE} and {READ} (or …_FILE): others can reach this address"])
    return tokens


def _access(tokens: Tokens) -> str:
    """Who may read and write, in words."""
    if not tokens.required:
        return "everybody on this machine may read and write: no token is set"
    read, write = (
        f"whoever has {name}" if token else f"nobody, for {name} is not set"
        for name, token in ((READ, tokens.read), (WRITE, tokens.write))
    )
    return f"may read: {read}; may write: {write}"


def _warnings(address: ListenAddress, tls: TlsFiles | None) -> Iterator[str]:
    if tls is None and not address.is_loopback:
        yield "warning: without --tls-cert and --tls-key tokens can be read on their way: put a proxy with TLS in front"
