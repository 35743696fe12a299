"""The colour of the terminal's ground, as terminals tell it."""

import os
import pty
import termios
import threading

import pytest

from monitoring.clock import SystemClock
from monitoring.display.output.keys import ground_in
from monitoring.viewer.ground import ASK, ground_while
from tests.support.clock import FakeClock


@pytest.mark.parametrize(("answer", "ground"), [
    (b"\x1b]11;rgb:0000/2b2b/3636\x1b\\\x1b[?62;22c", "#002b36"),
    (b"\x1b]11;rgb:fd/f6/e3\x07\x1b[?1;2c", "#fdf6e3"),
    (b"\x1b]11;rgba:FFFF/FFFF/FFFF/FFFF\x07", "#ffffff"),
    (b"\x1b[?1;2c", None),
    (b"", None),
    (b"\x1b]11;rgb:zz/zz/zz\x07", None),
])  # fmt: skip
def test_the_ground_is_in_the_answer(answer: bytes, ground: str | None) -> None:
    assert ground_in(answer.decode()) == ground


def test_a_terminal_is_asked_while_something_else_is_done_and_left_as_it_was() -> None:
    outer, inner = pty.openpty()
    before = termios.tcgetattr(inner)

    def answer() -> None:
        asked = b""
        while ASK not in asked:
            asked += os.read(outer, 100)
        os.write(outer, b"\x1b]11;rgb:0000/0000/0000\x07\x1b[?6c")

    thread = threading.Thread(target=answer)
    thread.start()
    assert ground_while(lambda: "done", inner, SystemClock()) == ("done", "#000000")
    thread.join()
    assert termios.tcgetattr(inner) == before
    os.close(outer)
    os.close(inner)


def test_a_terminal_that_does_not_answer_is_not_waited_for() -> None:
    outer, inner = pty.openpty()
    clock = FakeClock()
    assert ground_while(lambda: clock.advance(1), inner, clock) == (None, None)
    os.close(outer)
    os.close(inner)
