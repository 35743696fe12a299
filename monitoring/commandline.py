"""What the command line may say."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from monitoring import __version__


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="monitoringApp.py", description="Checks websites and tells when one goes down or comes back.")
    modes = parser.add_argument_group("modes (exactly one)").add_mutually_exclusive_group(required=True)
    for short, name, text in (
        ("-m", "monitor", "check the sites; print statistics every 10 s (past 10 minutes) and every 60 s (past hour)"),
        ("-a", "alerts", "print the history of alerts and recoveries, then follow it"),
        ("-t", "test", "test the alerting with a server that goes down and comes back (about 20 s)"),
    ):
        modes.add_argument(short, f"--{name}", dest="mode", action="store_const", const=name, help=text)
    modes.add_argument(
        "--check-config", dest="mode", action="store_const", const="check-config", help="say what is wrong or what would run"
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", type=Path, default=Path("config.json"), help="default: config.json"
    )
    parser.add_argument("-s", "--silent", action="store_true", help="with -m: print nothing but errors")
    parser.add_argument("--database", metavar="URL", help="use this database instead of the configuration's")
    parser.add_argument("--once", action="store_true", help="with -a: print the history and end")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser.parse_args(argv)
