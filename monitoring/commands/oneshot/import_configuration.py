"""`--import`: converts the configuration of another program, or a list of URLs, and prints it."""

import sys

from monitoring.commands.invocation import Invocation
from monitoring.display.output.outputs import say
from monitoring.errors import ConfigError
from monitoring.shell import Program

LARGEST = 64 << 20


def run(invocation: Invocation) -> int:
    """Print it; returns the exit status. Raises `ConfigError` if the file cannot be read or imported."""
    from monitoring.importing import formats, trial, writing

    path = invocation.arguments.imported
    name = "standard input" if str(path) == "-" else str(path)
    try:
        raw = sys.stdin.buffer.read(LARGEST + 1) if str(path) == "-" else path.read_bytes()
        if len(raw) > LARGEST:
            raise ValueError(f"is larger than {LARGEST >> 20} MB")  # noqa: TRY301 - one place reports all errors
        imported = formats.read(raw)
        trial.try_out(imported.sites)
        if all(draft.refused for draft in imported.sites):
            why = imported.notes[0] if imported.notes else "it names none"
            first = next((f"{draft.label}: {draft.refused}" for draft in imported.sites), why)
            raise ValueError(f"has no website that can be checked: {first}")  # noqa: TRY301
    except OSError as error:
        raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigError([f"{name}: {error}"]) from None
    bare = Program(invocation.program.words)
    for line in writing.lines(imported, name, bare.command("--check-config", "-c", "FILE")):
        say(line)
    return 0
