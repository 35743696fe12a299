"""`-g`: serves the database of the configuration over HTTP."""

from monitoring.commands.invocation import Invocation
from monitoring.config.databases import DEFAULT_LISTEN, parse_listen
from monitoring.gateway.certificate import tls_files
from monitoring.gateway.serve import serve


def run(invocation: Invocation) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status. Raises `MonitoringError`."""
    config, watcher = invocation.load()
    arguments = invocation.arguments
    tls = tls_files(arguments.tls_cert, arguments.tls_key)
    return serve(config, watcher, parse_listen(arguments.listen or DEFAULT_LISTEN), invocation.environ, tls)
