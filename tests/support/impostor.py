"""A web server where a database was expected."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server that is not InfluxDB answers to everything."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Impostor(http.server.HTTPServer):
    """Gives one reply to every request."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), ImpostorHandler)
        self.reply = reply

    def handle_error(self, request: object, client_address: object) -> None:
        """A failed handshake is no news."""


class ImpostorHandler(http.server.BaseHTTPRequestHandler):
    server: Impostor

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server.reply
        self.send_response(reply.status)
        for name, value in (*reply.headers, ("Content-Length", str(len(reply.body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""


@contextlib.contextmanager
def impostor(reply: Reply, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """An `Impostor` on the port it yields."""
    with Impostor(reply) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
