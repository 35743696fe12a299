"""Which sockets can be read or written: epoll where there is one, else what the standard library chooses.

epoll is used bare because this runs several times a check: through `selectors` a check costs a tenth more CPU.
"""

import select
import selectors
from contextlib import suppress
from typing import Protocol

READ = 1
WRITE = 2
ERROR = 4


class Readiness(Protocol):
    """Sockets by descriptor, and what each is waited for: READ, WRITE or both."""

    def add(self, fd: int, what: int) -> None: ...

    def change(self, fd: int, what: int) -> None: ...

    def remove(self, fd: int) -> None:
        """A descriptor that was closed meanwhile may be removed too."""

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """The descriptors that are ready and for what, after at most so long (rounded up to milliseconds)."""

    def close(self) -> None: ...


class EpollReadiness:
    """Linux."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        # libcurl takes note of errors as of something to read.
        self._meaning = {
            events: (READ if events & select.EPOLLIN else 0)
            | (WRITE if events & select.EPOLLOUT else 0)
            | (ERROR if events & (select.EPOLLERR | select.EPOLLHUP) else 0)
            for events in range(1 + (select.EPOLLIN | select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP | select.EPOLLPRI))
        }
        self._events = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)

    def add(self, fd: int, what: int) -> None:
        self._epoll.register(fd, self._events[what])

    def change(self, fd: int, what: int) -> None:
        self._epoll.modify(fd, self._events[what])

    def remove(self, fd: int) -> None:
        with suppress(OSError):  # closed: the kernel has forgotten it by itself
            self._epoll.unregister(fd)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return [(fd, self._meaning.get(events, ERROR)) for fd, events in self._epoll.poll(seconds)]

    def close(self) -> None:
        self._epoll.close()


class SelectorReadiness:
    """Elsewhere, as on macOS."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, fd: int, what: int) -> None:
        self._selector.register(fd, what)  # READ and WRITE have the same values there

    def change(self, fd: int, what: int) -> None:
        self._selector.modify(fd, what)

    def remove(self, fd: int) -> None:
        self._selector.unregister(fd)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return [(key.fd, what) for key, what in self._selector.select(seconds)]

    def close(self) -> None:
        self._selector.close()


def open_readiness() -> Readiness:
    return EpollReadiness() if hasattr(select, "epoll") else SelectorReadiness()
