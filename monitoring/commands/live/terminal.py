"""The terminal of a live screen: its keys while the program is in the foreground, Ctrl-Z, and the viewer on top of it."""

import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from monitoring.commands.invocation import Invocation, is_piped
from monitoring.display.output.outputs import is_operable
from monitoring.display.output.thread import DisplayThread
from monitoring.service.signals import heed_suspension

END_S = 2.0
"""How long a viewer may take to restore the terminal and end."""


class Terminal:
    """The terminal at standard input. Either this program reads its keys, or a viewer, or the shell."""

    def __init__(self, display: DisplayThread, command: Callable[[], Sequence[str] | str]) -> None:
        """`command` returns the command that starts a viewer, or a sentence that says why there is none."""
        from monitoring.display.output.keyboard import Keyboard  # late: only a screen has keys

        self._display = display
        self._command = command
        self._keyboard = Keyboard(sys.stdin, display.key)
        self._viewer: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._is_lent = False
        self._viewer_has_stopped = False
        self._is_closed = False

    def start(self) -> None:
        self._keyboard.start()

    def is_suspension_meant(self) -> bool:
        """Does Ctrl-Z stop the monitor? While a viewer has the terminal, only after the viewer. Called in a signal handler.

        The terminal sends Ctrl-Z to both until the viewer reads keys. A monitor that stopped for it and again after the
        viewer would need `fg` twice.
        """
        is_meant = not self._is_lent or self._viewer_has_stopped
        self._viewer_has_stopped = False
        return is_meant

    def suspend(self) -> None:
        """Restore the terminal before the program is stopped. Called in a signal handler."""
        self._display.suspend()
        self._keyboard.leave()

    def resume(self) -> None:
        """Use the terminal again after the program was continued. Called in a signal handler."""
        if not self._is_lent:
            self._keyboard.enter()
            self._display.resume()

    def open_viewer(self) -> None:
        """Start a viewer, which has the terminal until it ends. The monitor goes on. Called in the display's thread."""
        command = self._command()
        if isinstance(command, str):
            self._display.notice(command)
        elif not self._is_closed and not (self._thread and self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run_viewer, args=(command,), name="viewer", daemon=True)
            self._is_lent = True
            try:
                self._thread.start()
            except RuntimeError:  # no more threads are allowed: the monitor needs them more
                self._is_lent = False

    def close_viewer(self) -> None:
        """End the viewer, if there is one, and wait until the terminal is free."""
        self._is_closed = True
        for number in (signal.SIGTERM, signal.SIGKILL):
            viewer, thread = self._viewer, self._thread
            if viewer and thread:  # not by Popen's methods, which would wait for it in place of that thread
                with suppress(ProcessLookupError):
                    os.kill(viewer.pid, number)
                    os.kill(viewer.pid, signal.SIGCONT)
                thread.join(END_S)

    def close(self) -> None:
        """Restore the terminal."""
        self.close_viewer()
        self._keyboard.close()

    def _run_viewer(self, command: Sequence[str]) -> None:
        self._keyboard.leave()
        self._display.suspend()
        modes = _modes()
        try:
            self._viewer = subprocess.Popen(command)  # noqa: S603 - this program itself
            self._wait_for(self._viewer)
        except OSError as error:
            self._display.notice(f"the viewer cannot be started: {error.strerror}")
        self._viewer, self._is_lent = None, False
        if modes is not None:
            with suppress(termios.error):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, modes)
        if not self._is_closed:
            self._keyboard.enter()
            self._display.resume()

    def _wait_for(self, viewer: "subprocess.Popen[bytes]") -> None:
        """Wait until the viewer ends. If Ctrl-Z stops it, stop the monitor too, so that the shell gets the terminal."""
        while True:
            _, status = os.waitpid(viewer.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                viewer.returncode = os.waitstatus_to_exitcode(status)
                return
            self._viewer_has_stopped = True
            os.kill(os.getpid(), signal.SIGTSTP)


def _modes() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.stdin.fileno())
    except (termios.error, ValueError, OSError):
        return None


def viewer_is_possible(invocation: Invocation) -> bool:
    """Is a live text display wanted, on a terminal with a keyboard, and is textual installed?"""
    arguments = invocation.arguments
    asks_once = arguments.once or arguments.at is not None
    return arguments.format == "text" and not asks_once and is_operable(invocation.environ) and _has_textual()


def viewer_command(invocation: Invocation) -> Sequence[str] | str:
    """The command that starts a viewer of the same configuration, or a sentence that says why there is none."""
    arguments = invocation.arguments
    if not _has_textual():
        return no_viewer()
    if arguments.config is not None and is_piped(arguments.config):
        return "a viewer cannot read a piped configuration again: give it as a file"
    return [sys.executable, sys.argv[0], "--print", *invocation.options, *arguments.urls]


def no_viewer() -> str:
    """The notice on a screen that has no viewer."""
    return "the viewer needs textual: pip install textual"


def _has_textual() -> bool:
    return find_spec("textual") is not None


@contextmanager
def terminal_keys(display: DisplayThread, command: Callable[[], Sequence[str] | str] = no_viewer) -> Iterator[None]:
    """Pass typed keys to the display, if it is a screen. The terminal is restored, however this ends.

    `command` returns the command that starts a viewer, or a sentence that says why there is none.
    """
    if not display.is_screen:
        heed_suspension(display.suspend, display.resume)
        yield
        return
    terminal = Terminal(display, command)
    display.use_viewer(terminal.open_viewer, terminal.close_viewer)
    heed_suspension(terminal.suspend, terminal.resume, terminal.is_suspension_meant)
    terminal.start()
    try:
        yield
    finally:
        terminal.close()
