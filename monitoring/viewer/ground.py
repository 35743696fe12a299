"""The colour of the terminal's ground, which the terminal itself tells when it is asked (OSC 11)."""

import os
import re
import select
import termios
from collections.abc import Callable
from typing import TypeVar

from monitoring.clock import Clock, Deadline

Result = TypeVar("Result")

ASK = b"\x1b]11;?\x1b\\\x1b[c"
"""The colour of the ground, then what every terminal answers: after that nothing more comes."""

PATIENCE_MS = 500

_GROUND = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]{2})[0-9a-fA-F]*/([0-9a-fA-F]{2})[0-9a-fA-F]*/([0-9a-fA-F]{2})")
_END = re.compile(rb"\x1b\[\?[0-9;]*c")


def ground_while(work: Callable[[], Result], terminal: int, clock: Clock) -> tuple[Result, str | None]:
    """Ask the terminal and do something while it answers; what that returned, and the ground, "#rrggbb", or None.

    `terminal` is a descriptor that reads from the terminal and writes to it.
    """
    before = termios.tcgetattr(terminal)
    quiet = termios.tcgetattr(terminal)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(terminal, termios.TCSANOW, quiet)
    try:
        os.write(terminal, ASK)
        deadline = Deadline.after(clock, PATIENCE_MS)
        result = work()
        return result, ground_in(_answer(terminal, deadline))
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)  # what comes later is no key


def _answer(terminal: int, deadline: Deadline) -> bytes:
    answer = b""
    while not _END.search(answer) and select.select([terminal], [], [], deadline.left_s())[0]:
        more = os.read(terminal, 1_024)
        if not more:
            break
        answer += more
    return answer


def ground_in(answer: bytes) -> str | None:
    """The ground that a terminal has told: "#rrggbb"; None where it has not."""
    found = _GROUND.search(answer)
    return f"#{b''.join(found.groups()).decode('ascii').lower()}" if found else None
