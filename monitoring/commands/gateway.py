"""`-g`: serves the database of the configuration over HTTP."""

from monitoring.commands.invocation import Invocation
from monitoring.config.databases import DEFAULT_LISTEN, parse_listen
from monitoring.errors import ConfigError
from monitoring.gateway.serve import serve
from monitoring.gateway.tls import TlsFiles


def run(invocation: Invocation) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status. Raises `MonitoringError`."""
    config, watcher = invocation.load()
    arguments = invocation.arguments
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        raise ConfigError(["--tls-cert and --tls-key go together"])
    tls = TlsFiles(arguments.tls_cert, arguments.tls_key) if arguments.tls_cert else None
    return serve(config, watcher, parse_listen(arguments.listen or DEFAULT_LISTEN), invocation.environ, tls)
