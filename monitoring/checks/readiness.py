"""Sleeping until another thread calls, or a socket is ready: by what Linux has for it, else by the standard library.

epoll is used bare because this runs several times a check: through `selectors` a check costs a tenth more CPU.
"""

import os
import select
import selectors
import socket
import threading
from contextlib import suppress
from typing import Protocol

from monitoring.service import process

READ = 1
WRITE = 2
ERROR = 4

MOST_EVENTS = 128
"""How many sockets are served before new transfers and timers have their turn."""


class Readiness(Protocol):
    """Sockets by descriptor, and what each is waited for: READ, WRITE or both. Only `wake` is for other threads."""

    def watch(self, fd: int, what: int) -> None:
        """Wait for this from now on, also if something else was waited for before."""

    def forget(self, fd: int) -> None:
        """Wait no more; the descriptor may have been closed meanwhile."""

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """The descriptors that are ready, and for what; none after `seconds` (whole milliseconds, negative: no limit)."""

    def wake(self) -> None:
        """End a `wait` that goes on, or else the next one; does nothing after `close`."""

    def close(self) -> None: ...


class EpollReadiness:
    """Linux."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        # libcurl takes note of errors as of something to read.
        self._meaning = {
            events: (READ if events & select.EPOLLIN else 0)
            | (WRITE if events & select.EPOLLOUT else 0)
            | (ERROR if events & (select.EPOLLERR | select.EPOLLHUP) else 0)
            for events in range(1 + (select.EPOLLIN | select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP | select.EPOLLPRI))
        }
        self._events = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open = threading.Lock()  # a closed descriptor's number soon is another file's: never write to that
        self._is_open = True
        # Edge-triggered: each call wakes once, and nothing has to be read.
        self._epoll.register(self._waker, select.EPOLLIN | select.EPOLLET)

    def watch(self, fd: int, what: int) -> None:
        if fd in self._watched:
            self._epoll.modify(fd, self._events[what])
        else:
            self._epoll.register(fd, self._events[what])
            self._watched.add(fd)

    def forget(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.discard(fd)
            with suppress(OSError):  # closed: the kernel has forgotten it by itself
                self._epoll.unregister(fd)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        ready = self._epoll.poll(seconds, MOST_EVENTS)
        return [(fd, self._meaning.get(events, ERROR)) for fd, events in ready if fd != self._waker]

    def wake(self) -> None:
        with self._open:
            if self._is_open:
                os.eventfd_write(self._waker, 1)

    def close(self) -> None:
        self._epoll.close()
        with self._open:
            self._is_open = False
            os.close(self._waker)


class SelectorReadiness:
    """Elsewhere, as on macOS."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._watched: set[int] = set()
        self._wakes, self._waker = socket.socketpair()
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._wakes, READ)

    def watch(self, fd: int, what: int) -> None:
        if fd in self._watched:
            self._selector.modify(fd, what)  # READ and WRITE have the same values there
        else:
            self._selector.register(fd, what)
            self._watched.add(fd)

    def forget(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.discard(fd)
            self._selector.unregister(fd)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        found = []
        for key, what in self._selector.select(None if seconds < 0 else seconds):
            if key.fd == self._wakes.fileno():
                with suppress(BlockingIOError):
                    self._wakes.recv(4_096)
            else:
                found.append((key.fd, what))
        return found

    def wake(self) -> None:
        with suppress(OSError):  # full: it will wake up anyway; closed: nobody is left to wake
            self._waker.send(b"\0")

    def close(self) -> None:
        self._selector.close()
        self._wakes.close()
        self._waker.close()


def open_readiness() -> Readiness:
    return EpollReadiness() if hasattr(select, "epoll") and hasattr(os, "eventfd") else SelectorReadiness()


class Bell(Protocol):
    """Wakes the one thread that waits for it."""

    def ring(self) -> None: ...

    def wait(self) -> None:
        """Sleep until it has been rung, once or more often, since the last wait."""


class EventBell:
    """Linux. Python lets go of the interpreter while it writes: whom it wakes can go on at once.

    To release a `threading.Lock` wakes a thread that then has to wait for the interpreter: a check costs a fifth more CPU.
    """

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC)

    @property
    def number(self) -> int:
        return self._fd

    def ring(self) -> None:
        os.eventfd_write(self._fd, 1)

    def wait(self) -> None:
        os.read(self._fd, 8)  # unlike `eventfd_read` it goes on after a signal

    def __del__(self) -> None:  # when nobody can ring or wait any more: the number may then be another file's
        if hasattr(self, "_fd"):
            os.close(self._fd)


class LockBell:
    """Elsewhere, and when descriptors are scarce."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        with suppress(RuntimeError):  # rung already
            self._lock.release()

    def wait(self) -> None:
        self._lock.acquire()


def open_bell() -> Bell:
    """Bells take half of the descriptors that may be open at most: what is checked needs a connection, too."""
    try:
        bell = EventBell()
    except (AttributeError, OSError):
        return LockBell()
    return bell if bell.number < process.allowed_files() // 2 else LockBell()  # its number was the lowest that was free
