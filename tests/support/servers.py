"""Servers on port 0 of the loopback interface, good and bad ones.

A handler gets the connection; when it returns, or the other side is gone, the connection is closed. Waiting is done
with `pause`, which ends as soon as the other side or the test does: nothing here sleeps.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

Handler = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RawServer:
    """Gives each connection to `handler`, in a thread of its own, after a TLS handshake if `tls` is given."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._handler = handler
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._threads[0].join()
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small writes leave at once
                with self._lock:
                    self._open.add(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):  # the other side went away, or shook no hands
                self._handle(connection)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _handle(self, connection: socket.socket) -> None:
        if self._tls is None:
            self._handler(connection)
            return
        # The socket is wrapped in the thread: a client that never shakes hands holds up nobody else.
        with self._tls.wrap_socket(connection.dup(), server_side=True) as secured:
            self._handler(secured)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a server received it; header names in lower case, repeated ones joined with a comma."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Responder = Callable[[Request], bytes]


class HttpServer(RawServer):
    """Answers the n-th request with the n-th response (bytes, or a function of the request); the last one repeats."""

    def __init__(self, *responses: bytes | Responder, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(self._answer, tls, host)
        self._responses = responses or (OK,)
        self.requests: list[Request] = []
        self._record = threading.Lock()

    def _answer(self, connection: socket.socket) -> None:
        request = read_request(connection)
        with self._record:
            self.requests.append(request)
            response = self._responses[min(len(self.requests), len(self._responses)) - 1]
        connection.sendall(response(request) if callable(response) else response)


def read_request(connection: socket.socket) -> Request:
    """Read one request, its body by Content-Length; ConnectionError when the client leaves before its end."""
    with connection.makefile("rb") as stream:
        method, target, _ = _line(stream.readline()).split(" ", 2)
        headers: dict[str, str] = {}
        while line := _line(stream.readline()):
            name, _, value = line.partition(":")
            known = headers.get(name.lower())
            headers[name.lower()] = value.strip() if known is None else f"{known}, {value.strip()}"
        return Request(method, target, headers, stream.read(int(headers.get("content-length", 0))))


def _line(raw: bytes) -> str:
    if not raw.endswith(b"\n"):
        raise ConnectionError
    return raw.decode("latin-1").rstrip("\r\n")


def response(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A correct response, ready to be sent."""
    lines = {"Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Test\r\n{head}\r\n".encode() + body


def redirect(target: str, status: int = 302) -> bytes:
    return response(status, headers={"Location": target})


def sends(data: bytes) -> Handler:
    """Reads a request, sends `data` as it is and closes."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)

    return handle


def sends_forever(start: bytes, chunk: bytes, every: float = 0) -> Handler:
    """Reads a request, sends `start` and then `chunk` again and again, one each `every` seconds."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        while every == 0 or pause(connection, every):
            connection.sendall(chunk)

    return handle


def hangs_after(data: bytes) -> Handler:
    """Reads a request, sends `data` and then nothing more."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)
        hang(connection)

    return handle


def resets_after(data: bytes) -> Handler:
    """Reads a request, sends `data` and resets the connection."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)
        pause(connection, 0.1)  # a reset that overtakes the data would discard them
        reset(connection)

    return handle


def reset(connection: socket.socket) -> None:
    """End a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang(connection: socket.socket) -> None:
    """Do nothing until the other side leaves."""
    while connection.recv(65536):
        pass


def pause(connection: socket.socket, seconds: float) -> bool:
    """Wait, but not longer than the other side stays; whether it is still there."""
    before = connection.gettimeout()
    connection.settimeout(seconds)
    try:
        return bool(connection.recv(65536))
    except TimeoutError:
        return True
    finally:
        connection.settimeout(before)


@contextlib.contextmanager
def unaccepted(backlog_full: bool = False) -> Iterator[int]:
    """A port whose connections nobody accepts: they wait in the backlog, or knock in vain once it is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3 if backlog_full else 0):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def closed_port() -> int:
    """A port that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
