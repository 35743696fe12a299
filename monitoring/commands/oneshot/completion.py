"""`--print-completion`: prints a script with which a shell completes this command line."""

from pathlib import Path

from monitoring.commands import cli
from monitoring.commands.invocation import Invocation
from monitoring.display.output.outputs import say
from monitoring.shell import program_name


def run(invocation: Invocation) -> int:
    """Print it; returns the exit status."""
    say(completion(program_name(), invocation.arguments.shell))
    return 0


def completion(program: str, shell: str) -> str:
    """The script for one of `cli.SHELLS`."""
    import shtab

    parser = cli.make_parser(program)
    for action in parser._actions:  # argparse has no public list of them
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    script: str = shtab.complete(parser, shell)
    return script.rstrip("\n")
