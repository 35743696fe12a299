"""Sleeps until a socket is ready or another thread calls: by epoll and eventfd on Linux, elsewhere by `selectors`.

This runs several times a check: through `selectors` a check would cost a tenth more CPU.
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
"""How many sockets are handled before new transfers and timers are."""


class Readiness(Protocol):
    """Watches descriptors for READ, WRITE or both. Other threads may only call `wake`."""

    def watch(self, fd: int, what: int) -> None:
        """Watch a descriptor for `what`, instead of what it was watched for before."""

    def forget(self, fd: int) -> None:
        """Stop watching; the descriptor may have been closed already."""

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """The descriptors that are ready, and for what. Empty after `seconds` (negative: no limit)."""

    def wake(self) -> None:
        """End the current `wait`, or the next one. Does nothing after `close`."""

    def close(self) -> None: ...


class EpollReadiness:
    """For Linux."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        # libcurl handles errors like data to read.
        self._meaning = {
            events: (READ if events & select.EPOLLIN else 0)
            | (WRITE if events & select.EPOLLOUT else 0)
            | (ERROR if events & (select.EPOLLERR | select.EPOLLHUP) else 0)
            for events in range(1 + (select.EPOLLIN | select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP | select.EPOLLPRI))
        }
        self._events = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open = threading.Lock()  # the number of a closed descriptor may belong to another file
        self._is_open = True
        # Edge-triggered: each write wakes once, and nothing has to be read.
        self._epoll.register(self._waker, select.EPOLLIN | select.EPOLLET)

    def watch(self, fd: int, what: int) -> None:
        if fd not in self._watched:
            self._watched.add(fd)
            try:
                self._epoll.register(fd, self._events[what])
            except FileExistsError:  # forgotten, but not closed since
                self._epoll.modify(fd, self._events[what])
        else:
            self._epoll.modify(fd, self._events[what])

    def forget(self, fd: int) -> None:
        self._watched.discard(fd)  # libcurl closes most descriptors next, and then the kernel forgets them

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        found = []
        for fd, events in self._epoll.poll(seconds, MOST_EVENTS):
            if fd in self._watched:
                found.append((fd, self._meaning.get(events, ERROR)))
            elif fd != self._waker:
                self._unregister(fd)
        return found

    def _unregister(self, fd: int) -> None:
        with suppress(OSError):  # closed meanwhile
            self._epoll.unregister(fd)

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
    """For other systems, such as macOS."""

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
        with suppress(OSError):  # full: it will wake anyway; closed: there is nobody to wake
            self._waker.send(b"\0")

    def close(self) -> None:
        self._selector.close()
        self._wakes.close()
        self._waker.close()


def open_readiness() -> Readiness:
    return EpollReadiness() if hasattr(select, "epoll") and hasattr(os, "eventfd") else SelectorReadiness()


class Bell(Protocol):
    """Wakes the one thread that waits."""

    def ring(self) -> None: ...

    def wait(self) -> None:
        """Sleep until `ring` has been called since the last wait."""


class EventBell:
    """For Linux. Python releases the interpreter's lock while it writes, so the thread that wakes can run at once.

    With a `threading.Lock` that thread would first wait for the interpreter's lock: a check would cost a fifth more CPU.
    """

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC)

    @property
    def number(self) -> int:
        return self._fd

    def ring(self) -> None:
        os.eventfd_write(self._fd, 1)

    def wait(self) -> None:
        os.read(self._fd, 8)  # unlike `eventfd_read`, it is repeated after a signal

    def __del__(self) -> None:  # not earlier: while somebody can ring, the number must stay ours
        if hasattr(self, "_fd"):
            os.close(self._fd)


class LockBell:
    """For other systems, and when descriptors are scarce."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        with suppress(RuntimeError):  # it has been rung already
            self._lock.release()

    def wait(self) -> None:
        self._lock.acquire()


def open_bell() -> Bell:
    """A new bell. Bells use at most half of the descriptors that may be open: checks need connections, too."""
    try:
        bell = EventBell()
    except (AttributeError, OSError):
        return LockBell()
    return bell if bell.number < process.allowed_files() // 2 else LockBell()  # a new descriptor gets the lowest free number
