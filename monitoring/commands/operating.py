"""The terminal of a live screen: its keys while the program is in the foreground, Ctrl-Z, and how it is left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from monitoring.display.thread import DisplayThread
from monitoring.service.signals import heed_suspension


@contextmanager
def keys_for(display: DisplayThread) -> Iterator[None]:
    """Hand the keys that are typed to a screen. The terminal is left as it was, however this ends."""
    if not display.is_screen:
        heed_suspension(display.suspend, display.resume)
        yield
        return
    from monitoring.display.keyboard import Keyboard  # late: not every platform has terminals of this kind

    keyboard = Keyboard(sys.stdin, display.key)

    def give_back() -> None:
        display.suspend()
        keyboard.leave()

    def take_again() -> None:
        keyboard.enter()
        display.resume()

    heed_suspension(give_back, take_again)
    keyboard.start()
    try:
        yield
    finally:
        keyboard.close()
