"""What ends a program, what makes it read its configuration again, and what Ctrl-Z does."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress


def heed_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM call `stop`; so does SIGHUP where that says that the terminal is closed, else it calls `reload`.

    Both are called in the middle of whatever the main thread does: they may wait for no lock.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())
    hang_up = stop if _ends_with_terminal() else reload
    signal.signal(signal.SIGHUP, lambda *_: hang_up())


def end_at_signals() -> None:
    """SIGTERM and a terminal that is closed end the program as Ctrl-C does: what it leaves behind is cleaned up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not _is_ignored(signal.SIGHUP):
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def end_at_second_signal() -> None:
    """From now on Ctrl-C and SIGTERM raise `KeyboardInterrupt` wherever the program is: who asks twice need not wait."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def heed_suspension(give_back: Callable[[], None], take_again: Callable[[], None]) -> None:
    """Ctrl-Z stops the program when `give_back` has left the terminal in order; `take_again` is called by `fg`."""

    def suspend(*_: object) -> None:
        give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # ignored by the kernel where no shell could continue it
        signal.signal(signal.SIGTSTP, suspend)
        take_again()

    if not _is_ignored(signal.SIGTSTP):
        signal.signal(signal.SIGTSTP, suspend)


def _ends_with_terminal() -> bool:
    """Was the program started on a terminal, and not with `nohup`? A service, a cron job or a container has none."""
    if _is_ignored(signal.SIGHUP):
        return False
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
