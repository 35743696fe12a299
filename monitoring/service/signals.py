"""Signals that end a program, reload its configuration, or suspend it."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress


def heed_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM call `stop`. SIGHUP calls `stop` if the program has a terminal, which was closed; else `reload`.

    Both may interrupt the main thread anywhere, so they must not wait for a lock.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())
    hang_up = stop if _ends_with_terminal() else reload
    signal.signal(signal.SIGHUP, lambda *_: hang_up())


def end_at_signals() -> None:
    """Let SIGTERM and the closing of the terminal end the program as Ctrl-C does, so that it cleans up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not _is_ignored(signal.SIGHUP):
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def end_at_second_signal() -> None:
    """From now on, let Ctrl-C and SIGTERM raise `KeyboardInterrupt` anywhere, to end the program at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def heed_suspension(
    release_terminal: Callable[[], None], resume: Callable[[], None], is_meant: Callable[[], bool] = lambda: True
) -> None:
    """At Ctrl-Z, call `release_terminal`, which restores the terminal, and suspend the program. `fg` leads to `resume`.

    Ctrl-Z is ignored if it is not meant for this program (`is_meant`).
    """

    def suspend(*_: object) -> None:
        if not is_meant():
            return
        release_terminal()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # the kernel ignores it if no shell could continue the program
        signal.signal(signal.SIGTSTP, suspend)
        resume()

    if not _is_ignored(signal.SIGTSTP):
        signal.signal(signal.SIGTSTP, suspend)


def _ends_with_terminal() -> bool:
    """Does the program have a terminal, and was it started without `nohup`? Services, cron jobs and containers have none."""
    if _is_ignored(signal.SIGHUP):
        return False
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
