"""`--print-completion`: prints a script with which a shell completes this command line."""

from monitoring.commands import arguments, cli
from monitoring.commands.invocation import Invocation
from monitoring.display.output.outputs import say
from monitoring.shell import program_name


def run(invocation: Invocation) -> int:
    """Print it; returns the exit status."""
    for line in completion(program_name(), invocation.arguments.shell).splitlines():
        say(line.expandtabs())  # control characters would be escaped, tabs as well
    return 0


def completion(program: str, shell: str) -> str:
    """The script for one of `cli.SHELLS`."""
    import shtab

    parser = cli.make_parser(program)
    for action in parser._actions:  # argparse has no public list of them
        if action.type is arguments.file:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    script: str = shtab.complete(parser, shell)
    return script.rstrip("\n")
