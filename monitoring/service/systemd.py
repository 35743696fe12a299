"""Reports the state of the service to systemd (sd_notify). Does nothing when no service manager listens."""

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from os import getpid

from monitoring.units import NS_PER_US

LONGEST_STATUS = 500


def ready(environ: Mapping[str, str], status: str = "") -> None:
    """Report that the service has started. `status` is a line for `systemctl status`."""
    _send(environ, "READY=1", *_status_lines(status))


def alive(environ: Mapping[str, str], status: str = "") -> None:
    """Report that the service works. Without it for `watchdog_us` the manager kills and restarts the service."""
    _send(environ, "WATCHDOG=1", *_status_lines(status))


def stopping(environ: Mapping[str, str]) -> None:
    """Report that the service is about to end."""
    _send(environ, "STOPPING=1")


def watchdog_us(environ: Mapping[str, str]) -> int | None:
    """How many microseconds may pass between two `alive`; None when the watchdog is off, or of another process."""
    limit, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not limit.isdecimal() or int(limit) == 0 or process not in ("", str(getpid())):
        return None
    return int(limit)


class ServiceManager:
    """Reports `alive` while the main loop calls `step` and no other thread is stuck.

    Other threads prove that they are not stuck by ending work that was begun for them, under a name. Without a service
    manager in `environ` all of this does nothing.
    """

    def __init__(self, environ: Mapping[str, str], monotonic_ns: Callable[[], int]) -> None:
        limit = watchdog_us(environ)
        self._environ = environ
        self._monotonic_ns = monotonic_ns
        self._limit_ns = None if limit is None else limit * NS_PER_US
        self._lock = threading.Lock()
        self._begun: dict[str, int] = {}
        self._due_ns = 0

    def ready(self, status: str = "") -> None:
        ready(self._environ, status)

    def stopping(self) -> None:
        stopping(self._environ)

    def begin(self, name: str) -> bool:
        """Some thread must now `end` this work. False when nobody watches, or the work has begun already."""
        if self._limit_ns is None:
            return False
        with self._lock:
            new = name not in self._begun
            self._begun.setdefault(name, self._monotonic_ns())
        return new

    def end(self, name: str) -> None:
        with self._lock:
            self._begun.pop(name, None)

    def standing_still(self) -> list[str]:
        """The names of the work that was begun more than half the watchdog's limit ago."""
        if self._limit_ns is None:
            return []
        latest_ns = self._monotonic_ns() - self._limit_ns // 2
        with self._lock:
            return [name for name, begun_ns in self._begun.items() if begun_ns < latest_ns]

    def step(self, status: str = "") -> bool:
        """Call it about once a second. Reports `alive` four times within the limit, unless work is stuck. Was it?"""
        now_ns = self._monotonic_ns()
        if self._limit_ns is None or now_ns < self._due_ns or self.standing_still():
            return False
        self._due_ns = now_ns + self._limit_ns // 4
        alive(self._environ, status)
        return True


def _status_lines(status: str) -> list[str]:
    """At most one line: a line break would start another message."""
    text = "".join(character if character.isprintable() else " " for character in status)
    return [f"STATUS={text[:LONGEST_STATUS]}"] if status else []


def _send(environ: Mapping[str, str], *messages: str) -> None:
    """Send one datagram. It does not matter whether the manager receives it."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path  # an abstract socket has no file
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)  # a full queue must not hold up the monitor
        sender.sendto("\n".join(messages).encode(), address)
