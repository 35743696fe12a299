"""The colour of the terminal's background, as terminals tell it."""

import os
import pty
import termios
import threading

import pytest

from monitoring.clock import SystemClock
from monitoring.display.output.keys import background_in
from monitoring.viewer.background import ASK, background_during
from tests.support.clock import FakeClock


@pytest.mark.parametrize(("answer", "background"), [
    (b"\x1b]11;rgb:0000/2b2b/3636\x1b\\\x1b[?62;22c", "#002b36"),
    (b"\x1b]11;rgb:fd/f6/e3\x07\x1b[?1;2c", "#fdf6e3"),
    (b"\x1b]11;rgba:FFFF/FFFF/FFFF/FFFF\x07", "#ffffff"),
    (b"\x1b[?1;2c", None),
    (b"", None),
    (b"\x1b]11;rgb:zz/zz/zz\x07", None),
])  # fmt: skip
def test_the_background_is_in_the_answer(answer: bytes, background: str | None) -> None:
    assert background_in(answer.decode()) == background


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
    assert background_during(lambda: "done", inner, SystemClock()) == ("done", "#000000")
    thread.join()
    assert termios.tcgetattr(inner) == before
    os.close(outer)
    os.close(inner)


def test_a_terminal_that_does_not_answer_is_not_waited_for() -> None:
    outer, inner = pty.openpty()
    clock = FakeClock()
    assert background_during(lambda: clock.advance(1), inner, clock) == (None, None)
    os.close(outer)
    os.close(inner)
