"""The modes that work beside monitors, on what those have stored."""

import argparse
import sys
from collections.abc import Mapping

from monitoring.clock import SystemClock
from monitoring.config import Config, ConfigWatcher


def run_beside_monitors(
    arguments: argparse.Namespace, config: Config, watcher: ConfigWatcher, environ: Mapping[str, str]
) -> int:
    """Print, purge or serve, as the command line asks; returns the exit status. Raises `MonitoringError`."""
    if arguments.mode == "print":
        from monitoring.commands.print import Wanted, show

        wanted = Wanted(arguments.window, arguments.at, arguments.once, arguments.location)
        return show(config, watcher, wanted, arguments.format, environ)
    if arguments.mode == "purge":
        return _purge(arguments, config)
    from monitoring.gateway.serve import serve_as_asked

    return serve_as_asked(config, watcher, arguments.listen, arguments.tls_cert, arguments.tls_key, environ)


def _purge(arguments: argparse.Namespace, config: Config) -> int:
    from monitoring.commands.purge import Purge, Terminal, scope_of
    from monitoring.config.lookup import hosts_of
    from monitoring.display.outputs import say

    clock = SystemClock()
    hosts = (None,) if arguments.site is None else hosts_of(arguments.site, config.sites, "--site")
    scopes = [scope_of(host, arguments.before, arguments.location, clock.now_ms()) for host in hosts]
    terminal = Terminal(say=say, ask=input if sys.stdin.isatty() else None)
    return max(Purge(config, scope, clock, terminal).run(yes=arguments.yes) for scope in scopes)
