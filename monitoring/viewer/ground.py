"""The colour of the terminal's ground, which the terminal itself tells when it is asked (OSC 11)."""

import os
import re
import select
import termios
from collections.abc import Callable
from typing import TypeVar

from monitoring.clock import Clock, Deadline
from monitoring.display.output.keyboard import LOCAL_MODES, MODES
from monitoring.display.output.keys import ground_in

Result = TypeVar("Result")

ASK = b"\x1b]11;?\x1b\\\x1b[c"
"""The colour of the ground, then what every terminal answers: after that nothing more comes."""

PATIENCE_MS = 500

_END = re.compile(rb"\x1b\[\?[0-9;]*c")


def ground_while(work: Callable[[], Result], terminal: int, clock: Clock) -> tuple[Result, str | None]:
    """Ask the terminal and do something while it answers; what that returned, and the ground, "#rrggbb", or None.

    `terminal` is a descriptor that reads from the terminal and writes to it.
    """
    before = termios.tcgetattr(terminal)
    quiet = termios.tcgetattr(terminal)
    quiet[LOCAL_MODES] &= ~MODES
    termios.tcsetattr(terminal, termios.TCSANOW, quiet)
    try:
        os.write(terminal, ASK)
        deadline = Deadline.after(clock, PATIENCE_MS)
        result = work()
        return result, ground_in(_answer(terminal, deadline).decode("ascii", "replace"))
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
