"""The service manager's end of the socket on which a service tells how it is."""

import socket
from types import TracebackType
from typing import Self


class Systemd:
    """Listens at `address`, a file or, with an @ in front, an abstract one; `environ` is what it gives a service."""

    def __init__(self, address: str, watchdog_s: float = 60) -> None:
        self.environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(round(watchdog_s * 1_000_000))}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        """All messages since the last time."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found
