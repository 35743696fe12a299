"""Commands that start this program, as people paste them into their shell. Every command in a message is made here."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from monitoring.names import printable

SCRIPT = Path(__file__).resolve().parents[1] / "monitoringApp.py"
"""The program in a working copy; an installed package does not have it."""

HIDDEN = "***"
"""What stands in place of a secret."""


class Program(NamedTuple):
    """How this program was started, and so how people start it again on the same configuration and data.

    `words` start it; none: as anybody would. `options` choose the configuration and the stores, `urls` are websites in
    place of a configuration. A configuration from a pipe cannot be read again: then the program is not `repeatable`.
    `page` is the address of the status page that it serves ("": it serves none), with a slash at its end.
    """

    words: Sequence[str] = ()
    options: Sequence[str] = ()
    urls: Sequence[str] = ()
    repeatable: bool = True
    page: str = ""

    def command(self, *arguments: str) -> str:
        """What starts it with these arguments; "" if no command can."""
        words = (*(self.words or plain_words()), *arguments, *self.options, *self.urls)
        is_possible = self.repeatable and all(printable(word) == word for word in words)
        return shlex.join(words) if is_possible else ""

    def explain(self, *called: str | None) -> str:
        """What explains the state of a site that has these names, the best one first; "" if no command can."""
        known = (name for name in called if name)
        return next((command for name in known if (command := self._explain(name))), "")

    def _explain(self, site: str) -> str:
        asked = (f"--explain={site}",) if site.startswith("-") else ("--explain", site)
        if not self.urls:
            return self.command(*asked)
        return "" if HIDDEN in site else self._replace(urls=(site,)).command(*asked)


def program_name() -> str:
    """The name of the script in a working copy, `website-monitor` when installed."""
    return SCRIPT.name if SCRIPT.exists() else "website-monitor"


def plain_words() -> tuple[str, ...]:
    """What starts the program where people have it: in the working copy, or on the PATH."""
    return (f"./{SCRIPT.name}" if SCRIPT.exists() else program_name(),)


PLAIN = Program()
"""The program as anybody starts it, without options."""
