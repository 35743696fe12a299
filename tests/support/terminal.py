"""The program on a terminal, and what a person sees there."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

from tests.support.monitor import PATIENCE_S, wait_for
from tests.support.processes import command, environment

# Makes its stdin the controlling terminal, so that ^C and a new size reach the program, and becomes the program.
_ON_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"

ALTERNATE_SCREEN, NORMAL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """The program on a terminal of this size: `with Terminal(80, 24, "-m", "-c", config) as terminal: ...`.

    `text` is what the screen shows, `raw` is all that was sent to it, `master` the other end of it.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *arguments: str | Path,
        environ: Mapping[str, str] | None = None,
        program: Callable[..., list[str]] = command,
    ) -> None:
        """`program` makes the command of the arguments."""
        self._command = [sys.executable, "-c", _ON_TERMINAL, *program(*arguments)]
        self._environ = environment(environ)
        self._lock = threading.Lock()
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._is_open = threading.Event()

    def __enter__(self) -> Self:
        self.master, slave = pty.openpty()
        self.resize(self._screen.columns, self._screen.lines)
        self._process = subprocess.Popen(
            self._command, env=self._environ, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self._is_open.set()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self.end()
        if self._is_open.is_set():
            os.close(self.master)

    @property
    def text(self) -> str:
        """What the screen shows now, without the blanks at the lines' ends."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def title(self) -> str:
        """What the program made the window's title."""
        with self._lock:
            return str(self._screen.title)

    def until(self, what: str, holds: Callable[[str], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait until `holds` is true of what the screen shows."""
        try:
            wait_for(lambda: holds(self.text), what, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{self.text}") from None

    def wait_for_output(self) -> None:
        """Wait until it sends something more."""
        sent = len(self.raw)
        wait_for(lambda: len(self.raw) > sent, "it draws again")

    def resize(self, width: int, height: int) -> None:
        """Make the window this large, as a person does with the mouse."""
        with self._lock:
            self._screen.resize(height, width)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def interrupt(self) -> int:
        """Type Ctrl-C; the exit status."""
        self.type(b"\x03")
        return self.end()

    def hang_up(self) -> None:
        """Close the window, or lose the connection."""
        self._is_open.clear()
        self._reader.join(PATIENCE_S)
        os.close(self.master)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def send(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; the exit status."""
        status = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def _read(self) -> None:
        with suppress(OSError):  # the program has ended
            while self._is_open.is_set():
                if not select.select([self.master], [], [], 0.1)[0]:
                    continue
                data = os.read(self.master, 65536)
                with self._lock:
                    self.raw += data
                    self._stream.feed(data)


def shell_terminal(width: int, height: int) -> Terminal:
    """A terminal of this size with a shell, whose prompt is "shell> "."""
    shell = ["/bin/bash", "--norc", "--noprofile", "-i"]
    return Terminal(width, height, program=lambda: shell, environ={"PS1": "shell> "})


def is_cooked(terminal: Terminal) -> bool:
    """Does the terminal edit lines itself, and show what is typed?"""
    modes = termios.tcgetattr(terminal.master)[3]
    return bool(modes & termios.ICANON and modes & termios.ECHO)
