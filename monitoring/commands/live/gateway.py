"""`-g`: serves the database of the configuration over HTTP, with `--web` also the status page."""

from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.config.keys.databases import DEFAULT_LISTEN, parse_listen
from monitoring.gateway.certificate import tls_files
from monitoring.gateway.serve import serve


def run(invocation: Invocation) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status. Raises `MonitoringError`."""
    config, watcher = invocation.load()
    arguments = invocation.arguments
    tls = tls_files(arguments.tls_cert, arguments.tls_key)
    address = parse_listen(DEFAULT_LISTEN if arguments.listen is None else arguments.listen)
    page = None
    if arguments.web:
        from monitoring.commands.live.gateway_page import (
            GatewayPage,  # late: a gateway without a page does not need its packages
        )

        page = GatewayPage(config, watcher, SystemClock(), address, arguments.location)
    return serve(config, watcher, address, invocation.environ, tls, page)
