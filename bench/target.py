"""A server that answers `/d/<milliseconds>/<name>` after that delay, and knows how long it really took.

Runs as a process of its own (`python -m bench.target CERTIFICATE`), prints its ports of http and https, and ends with its
standard input. `/seen` tells how many different paths were asked for, `/report` all it has measured (and forgets it):
`{"served_us": {path: [microseconds of each request, in order]}, "first_ns": {path: monotonic clock at the first}}`.
"""

import asyncio
import json
import resource
import select
import selectors
import ssl
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

BACKLOG = 4_096
HEADER = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
ANSWER = (HEADER.format(length=3) + "ok\n").encode()


class FineSelector(selectors.EpollSelector):
    """An epoll that waits for microseconds.

    epoll itself rounds its time-outs up to whole milliseconds, and so would every delay be; `select` does not.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


@dataclass(slots=True)
class Log:
    """What the target saw: for each path the microseconds of each request, and when the first one came."""

    served_us: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    first_ns: dict[str, int] = field(default_factory=dict)

    def take(self) -> str:
        """All of it as JSON; forgotten here."""
        text = json.dumps({"served_us": self.served_us, "first_ns": self.first_ns})
        self.served_us.clear()
        self.first_ns.clear()
        return text


class Connection(asyncio.Protocol):
    """One connection, which carries one small request after another; the client closes it."""

    def __init__(self, log: Log, loop: asyncio.AbstractEventLoop) -> None:
        self._log = log
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answering: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._transport = None
        if self._answering:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        received_ns = time.monotonic_ns()
        path = data.split(b" ", 2)[1].decode()
        if path.startswith("/d/"):
            self._log.first_ns.setdefault(path, received_ns)
            due_ns = received_ns + int(path.split("/")[2]) * 1_000_000
            self._answering = self._loop.call_at(due_ns / 1e9, self._answer, path, received_ns)
        else:
            text = self._log.take() if path == "/report" else str(len(self._log.first_ns))
            self._send((HEADER.format(length=len(text)) + text).encode())

    def _answer(self, path: str, received_ns: int) -> None:
        self._log.served_us[path].append((time.monotonic_ns() - received_ns) // 1_000)
        self._send(ANSWER)

    def _send(self, answer: bytes) -> None:
        if self._transport:
            self._transport.write(answer)


async def serve(tls: ssl.SSLContext) -> None:
    """Serve on a free port of http and one of https until standard input ends."""
    loop, log = asyncio.get_running_loop(), Log()
    for context in (None, tls):
        server = await loop.create_server(lambda: Connection(log, loop), "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
        print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main(certificate: str) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # thousands of sites hang at the same time
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with (
        suppress(KeyboardInterrupt),  # Ctrl-C is for the bench, which then closes our standard input
        asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(FineSelector())) as runner,
    ):
        runner.run(serve(tls))


if __name__ == "__main__":
    main(sys.argv[1])
