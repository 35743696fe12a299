"""The command line: its modes, its options, and which mode each option goes with.

A new mode is one line in `MODES` and a module whose `run(invocation)` does it and returns the exit status. What it takes
beside the options of all is a line each in `OPTIONS`.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from monitoring import __version__, names
from monitoring.commands import arguments as values
from monitoring.shell import plain_words, program_name


class Mode(NamedTuple):
    """One mode: the flag `--name`, or `short`. `module` has its `run` and is imported only if this mode is chosen.

    A module lies in `monitoring.commands`; one that begins with a dot lies beside `monitoringApp`. `interrupted` is the
    exit status after Ctrl-C. If the flag takes a value, `value` are the arguments of `add_argument` for it. `beside` are the
    other modes that it may run beside.
    """

    short: str | None
    name: str
    module: str
    help: str
    interrupted: int = 0
    value: Mapping[str, Any] = {}
    beside: Sequence[str] = ()

    @property
    def flags(self) -> list[str]:
        return [*([self.short] if self.short else []), f"--{self.name}"]


SHELLS = ("bash", "zsh", "tcsh")


MODES = {
    mode.name: mode
    for mode in (
        Mode("-m", "monitor", "live.monitor", "check the sites and show statistics, states and alerts"),
        Mode("-a", "alerts", ".alertWatcher", "print the history of alerts and recoveries, then follow it"),
        Mode("-p", "print", "live.print", "show what other monitors measure, without checking anything"),
        Mode(
            *("-w", "web", "live.web", "serve the status page and numbers for Prometheus; also with -m, -g"),
            beside=("monitor", "gateway"),
        ),
        Mode("-g", "gateway", "live.gateway", "serve the database over HTTP to monitors and readers"),
        Mode(
            "-t",
            "test",
            ".test",
            "test the alerting with a server that goes down and comes back (about 20 s)",
            interrupted=1,
        ),
        Mode(
            *(None, "report", "oneshot.report", "sum up a month: availability, incidents, response times"),
            value={"dest": "month", "metavar": "YYYY-MM", "type": values.month},
        ),
        Mode(None, "purge", "oneshot.purge", "delete stored checks and alerts, after a confirmation"),
        Mode(
            *(None, "maintenance", "oneshot.maintenance"),
            'start maintenance of a site (or tag:WORD, group:NAME, "all"): "30m"; "end" ends it',
            value={"dest": "maintained", "nargs": 2, "metavar": ("SITE", "LENGTH")},
        ),
        Mode(
            *(None, "test-notifications", "oneshot.test_notifications"),
            "send a test message through every channel of the configuration",
        ),
        Mode(None, "check-config", "oneshot.check_config", "print the errors of the configuration, or what would run"),
        Mode(
            *(None, "explain", "oneshot.explain", "explain why a site is up, failing or down"),
            value={"dest": "explained", "metavar": "SITE"},
        ),
        Mode(None, "replay", "oneshot.replay", "show which alerts another rule would have raised"),
        Mode(
            *(None, "import", "oneshot.import_configuration"),
            help="print the websites of Gatus, Uptime Kuma, Prometheus, a sitemap or a list as a configuration",
            value={"dest": "imported", "metavar": "FILE", "type": values.file},
        ),
        Mode(
            *(None, "print-completion", "oneshot.completion"),
            "print the script with which a shell completes all this",
            value={"dest": "shell", "choices": SHELLS},
        ),
    )
}


class Option:
    """An option of the named modes, or of all; `settings` are the arguments of `add_argument`."""

    def __init__(self, *flags: str, modes: Sequence[str] = (), help: str, **settings: Any) -> None:  # noqa: A002
        self.flags = flags
        self.modes = modes
        self.settings = settings
        self.help = help

    @property
    def heading(self) -> str:
        """The heading in `--help` of all options of the same modes."""
        return f"options of {listed(self.modes)}" if self.modes else "options of every mode"

    def was_given(self, arguments: argparse.Namespace) -> bool:
        return getattr(arguments, self.flags[-1].lstrip("-").replace("-", "_")) not in (None, False)


OPTIONS = (
    Option("-c", "--config", metavar="FILE", type=values.file, help='default: config.json; "-" is standard input'),
    Option("--database", metavar="URL", help="use this database instead of the configuration's"),
    Option("--local-database", metavar="FILE", type=values.file, help="use this local file instead of the configuration's"),
    Option("--format", choices=("text", "json", "csv"), default="text", help="json: one object a line; csv: with --report"),
    Option("--notify", modes=["test"], action="store_true", help="send the messages through your own channels, as a drill"),
    Option("-s", "--silent", modes=["monitor"], action="store_true", help="print only errors"),
    Option("--once", modes=["alerts", "print"], action="store_true", help="print once and end"),
    Option(
        "--location",
        modes=["alerts", "explain", "print", "replay", "web", "report", "purge"],
        metavar="NAME",
        type=values.location,
        help='only what was measured at location "NAME"',
    ),
    Option(
        "--site",
        modes=["alerts", "print", "replay", "purge"],
        metavar="SITE",
        help="only this site: its id, its name or its URL; with -p, -a and --replay also tag:WORD or group:NAME",
    ),
    Option(
        "--window",
        modes=["print", "replay"],
        metavar="LENGTH",
        type=values.length_ms,
        help='statistics over this, such as "24h"; the window of the rule to try',
    ),
    Option(
        "--at",
        modes=["explain", "print"],
        metavar="TIME",
        type=values.moment,
        help='the state at this time, or at an age: "-1h" is an hour ago',
    ),
    Option(
        "--listen",
        modes=["gateway", "web"],
        metavar="ADDRESS",
        help="serve here, not at 127.0.0.1:8087 (the page: :8088)",
    ),
    Option("--tls-cert", modes=["gateway", "web"], metavar="FILE", type=values.file, help="the certificate and its chain"),
    Option("--tls-key", modes=["gateway", "web"], metavar="FILE", type=values.file, help="the key of the certificate"),
    Option("--before", modes=["purge"], metavar="AGE", type=values.moment, help='only what is older: "30d", or a date'),
    Option(
        "--since",
        modes=["alerts", "replay"],
        metavar="TIME",
        type=values.moment,
        help='from this time on, or from an age on: "7d"',
    ),
    Option(
        "--limit", modes=["alerts"], metavar="NUMBER", type=values.limit, help="only so many of the history, the newest ones"
    ),
    Option("--all", modes=["alerts"], action="store_true", help="each record instead of one line for each outage"),
    Option("--threshold", modes=["replay"], metavar="PERCENT", type=values.percent, help="of the rule to try"),
    Option("--recovery-threshold", modes=["replay"], metavar="PERCENT", type=values.percent, help="of the rule to try"),
    Option("--minimum-failures", modes=["replay"], metavar="NUMBER", type=values.failures, help="of the rule to try"),
    Option("--yes", modes=["purge"], action="store_true", help="do not ask"),
)


URL_MODES = ("monitor", "print", "alerts", "explain")
"""The modes that take URLs in place of a configuration."""

FORMAT_MODES = {
    "csv": ("report",),
    "json": ("monitor", "alerts", "print", "report", "check-config", "explain", "replay"),
}
"""The modes that print in formats other than text."""

EPILOG = """\
examples:
  %(prog)s -m https://example.org      watch a site, without a configuration
  %(prog)s -p --once --window 24h      the past day, once
  %(prog)s --check-config -c new.json  try a configuration first

exit status:
  0  fine, also after Ctrl-C
  1  the run or the self-test failed
  2  wrong usage or a wrong configuration

documentation:
  README.md and docs/ in the source; docs/troubleshooting.md explains every message
"""


def listed(modes: Sequence[str]) -> str:
    """The modes as part of a sentence: `--alerts, --print and --purge`."""
    *some, last = (f"--{mode}" for mode in modes)
    return f"{', '.join(some)} and {last}" if some else last


class Parser(argparse.ArgumentParser):
    """Reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, names.printable(f"{self.prog}: {message} (see --help)") + "\n")


def parse_arguments(argv: Sequence[str], program: str = "monitoringApp.py") -> argparse.Namespace:
    """The namespace with `mode` and every option. `program` is the name by which the user called it.

    An error ends the program with a line on stderr and exit status 2.
    """
    parser = make_parser(program)
    arguments = parser.parse_intermixed_args(_with_ages(argv))
    active = _choose_mode(parser, arguments)
    if arguments.urls and arguments.mode not in URL_MODES:
        parser.error(f"URLs go with {listed(URL_MODES)}, not with --{arguments.mode}")
    if arguments.urls and arguments.config:
        parser.error("URLs take the place of a configuration: leave out --config")
    if (modes := FORMAT_MODES.get(arguments.format)) and arguments.mode not in modes:
        parser.error(f"--format {arguments.format} goes with {listed(modes)}, not with --{arguments.mode}")
    for option in OPTIONS:  # an option that the mode ignores would seem to have an effect
        if option.modes and option.was_given(arguments) and not active & set(option.modes):
            parser.error(f"{option.flags[-1]} goes with {listed(option.modes)}, not with --{arguments.mode}")
    return arguments


def _choose_mode(parser: Parser, arguments: argparse.Namespace) -> set[str]:
    """Set `mode` if its flag takes a value or may go with others. Returns the names of all modes that run."""
    for mode in MODES.values():
        if mode.value and getattr(arguments, mode.value["dest"]) is not None:
            arguments.mode = mode.name
    for mode in MODES.values():
        if mode.beside and getattr(arguments, mode.name):
            arguments.mode = arguments.mode or mode.name
            if arguments.mode not in (mode.name, *mode.beside):
                parser.error(f"--{mode.name} goes with {listed(mode.beside)} or alone, not with --{arguments.mode}")
    if arguments.mode is None:
        parser.error("a mode is missing: -m checks the sites, -p shows what is measured")
    return {arguments.mode, *(mode.name for mode in MODES.values() if mode.beside and getattr(arguments, mode.name))}


def _with_ages(argv: Sequence[str]) -> Sequence[str]:
    """Join `--at -1h` into one argument, because argparse would take -1h for an option."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in ("--at", "--before", "--since") and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def make_parser(program: str) -> Parser:
    """The parser: first the modes, then the options of all modes, then those of some."""
    typed = plain_words()[0] if program == program_name() else program
    parser = Parser(
        prog=program,
        usage=f"{typed} MODE [options]",
        description="Checks websites and tells when one goes down or comes back.",
        epilog=EPILOG % {"prog": typed},
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    every = parser.add_argument_group("modes (exactly one)")
    modes = every.add_mutually_exclusive_group()
    for mode in MODES.values():
        if mode.beside:
            every.add_argument(*mode.flags, action="store_true", help=mode.help)
        elif mode.value:
            modes.add_argument(*mode.flags, help=mode.help, **mode.value)
        else:
            modes.add_argument(*mode.flags, dest="mode", action="store_const", const=mode.name, help=mode.help)
    headings = dict.fromkeys(option.heading for option in OPTIONS)
    groups = {heading: parser.add_argument_group(heading) for heading in headings}
    for option in OPTIONS:
        groups[option.heading].add_argument(*option.flags, help=option.help, **option.settings)
    parser.add_argument_group("in place of a configuration").add_argument(
        "urls", nargs="*", metavar="URL", help=f"with {listed(URL_MODES)}: these websites"
    )
    others = parser.add_argument_group("other")
    others.add_argument("-h", "--help", action="help", help="show this help and end")
    others.add_argument("--version", action="version", version=f"%(prog)s {__version__}", help="show the version and end")
    return parser
