"""Asks the terminal for its background colour (OSC 11)."""

import os
import re
import select
import termios
from collections.abc import Callable
from typing import TypeVar

from monitoring.clock import Clock, Deadline
from monitoring.display.output.keyboard import LOCAL_MODES, MODES
from monitoring.display.output.keys import background_in

Result = TypeVar("Result")

ASK = b"\x1b]11;?\x1b\\\x1b[c"
"""Asks for the background, then for what every terminal answers, so that the second answer marks the end."""

PATIENCE_MS = 500

_END = re.compile(rb"\x1b\[\?[0-9;]*c")


def background_during(work: Callable[[], Result], terminal: int, clock: Clock) -> tuple[Result, str | None]:
    """Ask the terminal, and do `work` while it answers. Returns the result, and the background ("#rrggbb" or None).

    `terminal` is a descriptor for reading and writing.
    """
    before = termios.tcgetattr(terminal)
    quiet = termios.tcgetattr(terminal)
    quiet[LOCAL_MODES] &= ~MODES
    termios.tcsetattr(terminal, termios.TCSANOW, quiet)
    try:
        os.write(terminal, ASK)
        deadline = Deadline.after(clock, PATIENCE_MS)
        result = work()
        return result, background_in(_answer(terminal, deadline).decode("ascii", "replace"))
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)  # a late answer is not a key


def _answer(terminal: int, deadline: Deadline) -> bytes:
    answer = b""
    while not _END.search(answer) and select.select([terminal], [], [], deadline.left_s())[0]:
        more = os.read(terminal, 1_024)
        if not more:
            break
        answer += more
    return answer
