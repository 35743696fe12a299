"""Reads keys from the terminal, as long as this program is in its foreground, and leaves it as it was."""

import os
import select
import signal
import termios
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from monitoring.display.output.keys import KEYS_COME, keys

LOOK_S = 0.5
"""How often it looks whether the program is in the foreground, and its terminal still as it was made."""

ESCAPE_S = 0.05
"""A key that begins with the escape character has come whole after so long; alone it is the key itself."""

PASTED = 16
"""So many keys at once were not typed but pasted. They mean nothing, nor does what follows at once: a text holds any key."""

LOCAL_MODES = 3
"""Where the modes lie among the attributes of a terminal that say who edits a line, and who shows what is typed."""

NOWHERE = -1
"""The descriptor of no terminal."""

MODES = termios.ICANON | termios.ECHO


class Keyboard:
    """Reads in a thread of its own; Ctrl-C, Ctrl-Z and Ctrl-S stay what they are.

    A program in the background that changes its terminal or reads from it would be stopped: it does neither.
    """

    def __init__(self, terminal: TextIO | None, press: Callable[[str], object]) -> None:
        """`press` takes each key. Without a terminal there are no keys."""
        self._file = os.dup(terminal.fileno()) if terminal and terminal.isatty() else NOWHERE
        self._press = press
        self._saved: list[Any] | None = None
        self._is_left = threading.Event()
        self._is_closed = threading.Event()
        self._lock = threading.RLock()  # a signal handler may leave the terminal while the main thread takes it
        self._thread = threading.Thread(target=self._run, name="keyboard", daemon=True)

    def start(self) -> None:
        if self._file == NOWHERE:
            return
        if self.enter():
            self._press(KEYS_COME)
        with suppress(RuntimeError):  # as many threads as are allowed: a monitor needs them more
            self._thread.start()

    def enter(self) -> bool:
        """Get each key as it is typed, if this is the foreground; returns whether it is. May be called again."""
        with self._lock:
            self._is_left.clear()
            return self._take()

    def leave(self) -> None:
        """Leave the terminal as it was; nothing is read until `enter`. May be called from a signal handler."""
        with self._lock:
            self._is_left.set()
            if self._saved is not None and self._is_foreground():
                with suppress(termios.error):
                    termios.tcsetattr(self._file, termios.TCSANOW, self._saved)
                    termios.tcflush(self._file, termios.TCIFLUSH)  # keys for this program are none for the shell
            self._saved = None

    def close(self) -> None:
        """The same, for good."""
        self._is_closed.set()
        self.leave()

    def _take(self) -> bool:
        """Shells set the terminal up anew whenever they have it, so that this is to be done again and again."""
        with self._lock:
            if self._file == NOWHERE or self._is_left.is_set() or not self._is_foreground():
                return False
            try:
                modes = termios.tcgetattr(self._file)
                if modes[LOCAL_MODES] & MODES:
                    self._saved = [*modes]
                    modes[LOCAL_MODES] &= ~MODES
                    termios.tcsetattr(self._file, termios.TCSANOW, modes)
            except termios.error:
                return False
            return True

    def _is_foreground(self) -> bool:
        with suppress(OSError):  # it is not the terminal that controls this program
            return os.tcgetpgrp(self._file) == os.getpgrp()
        return False

    def _run(self) -> None:
        # Between looking and reading the program may go to the background: then it gets an error, and is not stopped.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})
        decoder = getincrementaldecoder("utf-8")("replace")
        rest, is_paste = "", False
        with suppress(OSError):
            while not self._is_closed.is_set():
                if not self._take():
                    self._is_closed.wait(LOOK_S)
                    continue
                if self._has_come(ESCAPE_S if rest or is_paste else LOOK_S):
                    data = self._read()
                    if not data:  # nobody is at the other end
                        return
                    found, rest = keys(rest + decoder.decode(data))
                    is_paste = len(found) >= PASTED or (is_paste and len(found) > 1)
                else:
                    found, rest, is_paste = (["esc"] if rest else []), "", False
                for key in [] if is_paste else found:
                    self._press(key)

    def _has_come(self, within_s: float) -> bool:
        return bool(select.select([self._file], [], [], within_s)[0])

    def _read(self) -> bytes:
        with self._lock:
            return os.read(self._file, 1024) if self._take() else b"\0"
