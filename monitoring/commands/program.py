"""The whole program, from its arguments to its exit status. It imports a mode only after the arguments are valid."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, TextIO

from monitoring import names
from monitoring.commands import cli
from monitoring.errors import ConfigError, MonitoringError
from monitoring.shell import program_name

INSTALLED = "website_monitor"
"""The folder into which an installation puts the files that lie beside `monitoring/` in the repository."""


UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of an output that goes to a full disk or to a closed terminal."""


def main(
    argv: Sequence[str],
    environ: Mapping[str, str],
    prepare: Callable[[], None] = lambda: None,
    package: str = "",
) -> int:
    """Run the mode that the arguments name. Returns the exit status; every error becomes a line on stderr.

    `prepare` makes the installed packages importable. `package` contains `monitoringApp` and the files beside it; "": they
    are top-level modules.
    """
    for stream in _outputs():  # names in any script must be printable in a plain locale
        stream.reconfigure(errors="backslashreplace")
    arguments = cli.parse_arguments(argv, program_name())
    try:
        prepare()
        status = _run(arguments, environ, package)
        _discard_unread()
        return status  # noqa: TRY300 - every error has its own
    except ConfigError as error:
        print(*map(names.printable, error.problems), sep="\n", file=sys.stderr)
        return 2
    except MonitoringError as error:
        print(names.printable(str(error)), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if sys.stderr.isatty():  # the terminal shows ^C: put the prompt on a new line
            print(file=sys.stderr)
        return cli.MODES[arguments.mode].interrupted
    except OSError as error:
        return _unprinted(error)


def _unprinted(error: OSError) -> int:
    """The exit status if the output can no longer be written. Raises `error` if it is about something else."""
    has_reader = not isinstance(error, BrokenPipeError)  # it has ended, as `head` does
    if has_reader and (error.errno not in UNWRITABLE or error.filename is not None):
        raise error
    if has_reader:
        with suppress(OSError):
            print(f"nothing can be printed: {error.strerror}", file=sys.stderr)
    _discard(sys.stdout)
    return int(has_reader)


def _outputs() -> Sequence[io.TextIOWrapper]:
    return [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]


def _discard_unread() -> None:
    """Drop what a full disk or a closed terminal did not take: that was said when it was printed."""
    for stream in _outputs():
        try:
            stream.flush()
        except OSError as error:
            if error.errno in UNWRITABLE:
                _discard(stream)


def _discard(stream: TextIO) -> None:
    """Drop what nobody reads any more. Otherwise Python would try again at its end, fail, and exit with status 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(arguments: argparse.Namespace, environ: Mapping[str, str], package: str) -> int:
    from monitoring.checks.limits import refusals_in_words
    from monitoring.service.process import uncollected

    def make_app(*given: Any, **named: Any) -> Any:
        return import_module(_placed(".monitoringApp", package)).MonitoringApp(*given, **named)

    with refusals_in_words():
        with uncollected():
            from monitoring.commands.invocation import Invocation

            mode = import_module(_placed(cli.MODES[arguments.mode].module, package))
        status: int = mode.run(Invocation(arguments, environ, make_app))
        return status


def installed() -> int:
    """The command `website-monitor` of an installation."""
    return main(sys.argv[1:], os.environ, package=INSTALLED)


def _placed(module: str, package: str) -> str:
    """The full name of a mode's module; one that begins with a dot lies in `package`."""
    return f"{package}{module}".removeprefix(".") if module.startswith(".") else f"monitoring.commands.{module}"
