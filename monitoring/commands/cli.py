"""What the command line may say."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from monitoring import __version__
from monitoring.config import values
from monitoring.config.databases import DEFAULT_LISTEN
from monitoring.config.durations import length_ms, moment_ms
from monitoring.config.text import Invalid, Part, Text


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


MODES = (
    ("-m", "monitor", "check the sites; print statistics every 10 s (past 10 minutes) and every 60 s (past hour)"),
    ("-a", "alerts", "print the history of alerts and recoveries, then follow it"),
    ("-p", "print", "print what monitors elsewhere measure, without checking anything"),
    ("-g", "gateway", "serve the database over HTTP to monitors and readers elsewhere"),
    ("-t", "test", "test the alerting with a server that goes down and comes back (about 20 s)"),
    (None, "purge", "delete stored checks and alerts; says which, and asks"),
    (None, "check-config", "say what is wrong or what would run"),
)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="monitoringApp.py", description="Checks websites and tells when one goes down or comes back.")
    modes = parser.add_argument_group("modes (exactly one)").add_mutually_exclusive_group(required=True)
    for short, name, text in MODES:
        flags = [f"--{name}"] if short is None else [short, f"--{name}"]
        modes.add_argument(*flags, dest="mode", action="store_const", const=name, help=text)
    _add_options(parser)
    _add_gateway_options(parser.add_argument_group("with -g"))
    _add_purge_options(parser.add_argument_group("with --purge"))
    arguments = parser.parse_args(argv)
    _refuse_strays(parser, arguments)
    return arguments


def _add_options(parser: argparse.ArgumentParser) -> None:
    default = Path("config.json")
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, default=default, help="default: config.json")
    parser.add_argument("-s", "--silent", action="store_true", help="with -m: print nothing but errors")
    parser.add_argument("--database", metavar="URL", help="use this database instead of the configuration's")
    parser.add_argument("--once", action="store_true", help="with -a, -p: print once and end")
    parser.add_argument("--window", metavar="LENGTH", type=length_ms, help='with -p: statistics over this, such as "24h"')
    parser.add_argument("--location", metavar="NAME", type=_location, help='with -a, -p, --purge: only what "NAME" saw')
    parser.add_argument("--at", metavar="TIME", type=moment_ms, help="with -p: how it was at this time")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")


def _location(text: str) -> str:
    """The name of a location, also the empty one of those without a name."""
    try:
        return values.location(Text((Part(text),))) if text else text
    except Invalid as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_gateway_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--listen", metavar="ADDRESS", default=DEFAULT_LISTEN, help=f"default: {DEFAULT_LISTEN}")
    group.add_argument("--tls-cert", metavar="FILE", type=Path, help="the certificate and its chain; without: plain HTTP")
    group.add_argument("--tls-key", metavar="FILE", type=Path, help="the key of the certificate")


def _add_purge_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--site", metavar="SITE", help="only of this site: its id, its name or its URL")
    group.add_argument("--before", metavar="AGE", help='only what is older: "30d", or a date')
    group.add_argument("--yes", action="store_true", help="do not ask")


_MEANT_FOR = {
    "once": ("alerts", "print"),
    "window": ("print",),
    "at": ("print",),
    "location": ("alerts", "print", "purge"),
    "silent": ("monitor",),
    "tls_cert": ("gateway",),
    "tls_key": ("gateway",),
    "site": ("purge",),
    "before": ("purge",),
    "yes": ("purge",),
}


def _refuse_strays(parser: Parser, arguments: argparse.Namespace) -> None:
    """A flag that its mode does not know would be thought to do something."""
    for name, modes in _MEANT_FOR.items():
        if getattr(arguments, name) not in (None, False) and arguments.mode not in modes:
            parser.error(f"--{name.replace('_', '-')} goes with {' and '.join(f'--{mode}' for mode in modes)} only")
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        parser.error("--tls-cert and --tls-key go together")
