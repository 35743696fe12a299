"""Reports the state of the service to systemd (sd_notify). Does nothing without a service manager."""

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
    """Report that the service works. If no report comes for `watchdog_us`, the manager kills and restarts the service."""
    _send(environ, "WATCHDOG=1", *_status_lines(status))


def stopping(environ: Mapping[str, str]) -> None:
    """Report that the service is ending."""
    _send(environ, "STOPPING=1")


def watchdog_us(environ: Mapping[str, str]) -> int | None:
    """The longest time between two calls of `alive`; None if the watchdog is off or watches another process."""
    limit, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not limit.isdecimal() or int(limit) == 0 or process not in ("", str(getpid())):
        return None
    return int(limit)


class ServiceManager:
    """Reports `alive` as long as the main loop calls `step` and no other thread is stuck.

    The main loop calls `begin` with a name before it gives a thread something to do, and the thread calls `end` with that
    name: a thread that is stuck does not. Without a service manager in `environ` all methods do nothing.
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
        """Expect that another thread calls `end` with this name. False if no watchdog is set or it is expected already."""
        if self._limit_ns is None:
            return False
        with self._lock:
            new = name not in self._begun
            self._begun.setdefault(name, self._monotonic_ns())
        return new

    def end(self, name: str) -> None:
        with self._lock:
            self._begun.pop(name, None)

    def stuck(self) -> list[str]:
        """The names that have waited for their `end` for more than half the watchdog's limit."""
        if self._limit_ns is None:
            return []
        latest_ns = self._monotonic_ns() - self._limit_ns // 2
        with self._lock:
            return [name for name, begun_ns in self._begun.items() if begun_ns < latest_ns]

    def step(self, status: str = "") -> bool:
        """Report `alive` four times within the limit, unless a thread is stuck. Returns whether it did.

        Call it about once a second.
        """
        now_ns = self._monotonic_ns()
        if self._limit_ns is None or now_ns < self._due_ns or self.stuck():
            return False
        self._due_ns = now_ns + self._limit_ns // 4
        alive(self._environ, status)
        return True


def _status_lines(status: str) -> list[str]:
    """The status on one line, because a line break would start another message."""
    text = "".join(character if character.isprintable() else " " for character in status)
    return [f"STATUS={text[:LONGEST_STATUS]}"] if status else []


def _send(environ: Mapping[str, str], *messages: str) -> None:
    """Send one datagram; the program does not depend on its arrival."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path  # an abstract socket has no file
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)  # a full queue must not contain up the monitor
        sender.sendto("\n".join(messages).encode(), address)
