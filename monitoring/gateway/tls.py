"""TLS in front of the gateway: waitress has none, and a slow handshake must not delay other clients.

`asyncio` accepts the connections, with a time limit for each handshake, and passes their bytes to waitress over the loopback
interface, as stunnel or a proxy would do. (A listening socket wrapped by `ssl` would do the handshakes in waitress's only
loop, where one silent client would stop all others. Servers with built-in TLS give each connection a thread, which a slow
client occupies.)
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from socket import socket
from typing import Any

from monitoring.gateway.certificate import ServedCertificate
from monitoring.gateway.limits import Limits

HANDSHAKE_S = 10.0
CHUNK = 1 << 16
END_S = 5.0
LOOK_S = 1.0


class TlsFront:
    """Passes decrypted bytes to the server at `target` and encrypts its answers. Runs in its own thread."""

    def __init__(self, listening: socket, certificate: ServedCertificate, target: tuple[str, int], limits: Limits) -> None:
        self._listening = listening
        self._certificate = certificate
        self._target = target
        self._limits = limits
        self._clients: dict[int, str] = {}  # addresses of clients, by the local port of their connection to the target
        self._running: set[asyncio.Task[None]] = set()
        """References that protect the tasks from the garbage collector; asyncio keeps only weak ones."""
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="tls", daemon=True)

    def client(self, port: int) -> str | None:
        """The address of the client behind the connection from this port; None: the connection is not from this front."""
        return self._clients.get(port)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End all connections."""
        self._runner.get_loop().call_soon_threadsafe(self._ending.set)
        self._thread.join(END_S)

    def _run(self) -> None:
        with self._runner:  # it cancels the remaining tasks at its end
            self._runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._accept,
            sock=self._listening,
            ssl=self._certificate.context,
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=1,
        )
        while not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), LOOK_S)
            self._certificate.look()
        server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pass_on(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, from after its handshake to its end."""
        address = writer.get_extra_info("peername")[0]
        if not self._has_room_for(address):
            writer.close()
            return
        with suppress(OSError, asyncio.CancelledError):  # cancelled at the end, which asyncio would report as an error
            inner_reader, inner_writer = await asyncio.open_connection(*self._target)
            port = inner_writer.get_extra_info("sockname")[1]
            self._clients[port] = address
            try:
                await _both_ways((reader, inner_writer), (inner_reader, writer))
            finally:
                del self._clients[port]
                inner_writer.close()
        writer.close()

    def _has_room_for(self, address: str) -> bool:
        others = tuple(self._clients.values())
        return len(others) < self._limits.connections and others.count(address) < self._limits.address_connections


_Way = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _both_ways(to_server: _Way, to_client: _Way) -> None:
    """Copy in both directions until the server closes its side: when the client is done, it still gets its answers."""
    asking = asyncio.ensure_future(_copy(*to_server))
    try:
        await _copy(*to_client)
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()


Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


def behind(front: TlsFront, application: Wsgi) -> Wsgi:
    """The application for connections through the front, with the addresses of the clients. It rejects all others."""

    def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        client = front.client(int(environ.get("REMOTE_PORT") or 0))
        if client is None:
            start_response("403 Forbidden", [("Content-Type", "application/json")])
            return [b'{"error":"this port is for the gateway itself"}']
        return application({**environ, "REMOTE_ADDR": client, "wsgi.url_scheme": "https"}, start_response)

    return guarded
