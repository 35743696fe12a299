"""Reads keys from the terminal while this program is in the foreground, and restores it afterwards."""

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

POLL_S = 0.5
"""How often to check that the program is in the foreground and its terminal still in the right mode."""

ESCAPE_S = 0.05
"""How long to wait for the rest of a key that begins with the escape character. Alone, it is the key esc."""

PASTED = 16
"""This many keys at once have been pasted. They are ignored, and so is what follows at once: a text may contain any key."""

LOCAL_MODES = 3
"""The index of the local modes (line editing and echo) among the attributes of a terminal."""

NOWHERE = -1
"""Stands for the descriptor if there is no terminal."""

MODES = termios.ICANON | termios.ECHO


class Keyboard:
    """Reads keys in a thread of its own. Ctrl-C, Ctrl-Z and Ctrl-S keep their meaning.

    In the background it neither changes the terminal nor reads from it, because that would stop the program.
    """

    def __init__(self, terminal: TextIO | None, press: Callable[[str], object]) -> None:
        """`press` is called with each key. Without a terminal there are no keys."""
        self._file = os.dup(terminal.fileno()) if terminal and terminal.isatty() else NOWHERE
        self._press = press
        self._saved: list[Any] | None = None
        self._is_left = threading.Event()
        self._is_closed = threading.Event()
        self._lock = threading.RLock()  # a signal handler may call `leave` while the main thread is in `enter`
        self._thread = threading.Thread(target=self._run, name="keyboard", daemon=True)

    def start(self) -> None:
        if self._file == NOWHERE:
            return
        if self.enter():
            self._press(KEYS_COME)
        with suppress(RuntimeError):  # no more threads are allowed: the monitor needs them more
            self._thread.start()

    def enter(self) -> bool:
        """Switch the terminal to single keys. Returns False in the background. May be called again."""
        with self._lock:
            self._is_left.clear()
            return self._take()

    def leave(self) -> None:
        """Restore the terminal, and read nothing until `enter`. May be called from a signal handler."""
        with self._lock:
            self._is_left.set()
            if self._saved is not None and self._is_foreground():
                with suppress(termios.error):
                    termios.tcsetattr(self._file, termios.TCSANOW, self._saved)
                    termios.tcflush(self._file, termios.TCIFLUSH)  # the shell must not get these keys
            self._saved = None

    def close(self) -> None:
        """Restore the terminal for good."""
        self._is_closed.set()
        self.leave()

    def _take(self) -> bool:
        """Set the modes of the terminal. This is repeated, because shells reset them whenever they have the terminal."""
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
        with suppress(OSError):  # it is not the controlling terminal
            return os.tcgetpgrp(self._file) == os.getpgrp()
        return False

    def _run(self) -> None:
        # The program may go to the background just before it reads: then it must get an error instead of being stopped.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})
        decoder = getincrementaldecoder("utf-8")("replace")
        rest, is_paste = "", False
        with suppress(OSError):
            while not self._is_closed.is_set():
                if not self._take():
                    self._is_closed.wait(POLL_S)
                    continue
                if self._has_come(ESCAPE_S if rest or is_paste else POLL_S):
                    data = self._read()
                    if not data:  # the terminal is closed
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
