"""Proxies on the loopback interface: HTTP (also by TLS) and SOCKS 5. They note whom they were asked for."""

import base64
import selectors
import socket
import ssl
from contextlib import suppress

from tests.support.servers import RawServer, read_request

LOGIN = "Basic " + base64.b64encode(b"me:pa:ss").decode()


class HttpProxy(RawServer):
    """Tunnels by CONNECT, and passes plain requests on. With `login` it lets in `me` with the password `pa:ss` only."""

    def __init__(self, tls: ssl.SSLContext | None = None, login: bool = False, refuses: bool = False) -> None:
        super().__init__(self._serve_one, tls)
        self._login = login
        self._refuses = refuses
        self.asked: list[str] = []

    def _serve_one(self, client: socket.socket) -> None:
        request = read_request(client)
        self.asked.append(f"{request.method} {request.target}")
        if self._login and request.headers.get("proxy-authorization") != LOGIN:
            client.sendall(b"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
        elif self._refuses:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        elif request.method == "CONNECT":
            host, _, port = request.target.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connected\r\nLocation: http://nowhere.invalid/\r\n\r\n")
                relay(client, server)
        else:
            place, _, path = request.target.removeprefix("http://").partition("/")
            host, _, port = place.partition(":")
            with socket.create_connection((host, int(port))) as server:
                server.sendall(f"{request.method} /{path} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
                relay(client, server)


class SocksProxy(RawServer):
    """SOCKS 5 without a login. With `names` it is told what a name stands for."""

    def __init__(self, names: dict[str, str] | None = None) -> None:
        super().__init__(self._serve_one)
        self._names = names or {}
        self.asked: list[str] = []

    def _serve_one(self, client: socket.socket) -> None:
        _, methods = client.recv(2)
        client.recv(methods)
        client.sendall(b"\5\0")
        _, _, _, kind = client.recv(4)
        if kind == 3:
            host = client.recv(client.recv(1)[0]).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, client.recv(4)) if kind == 1 else (socket.AF_INET6, client.recv(16))))
        port = int.from_bytes(client.recv(2))
        self.asked.append(f"{host}:{port}")
        try:
            server = socket.create_connection((self._names.get(host, host), port))
        except OSError:
            client.sendall(b"\5\5\0\1\0\0\0\0\0\0")
            return
        with server:
            client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
            relay(client, server)


def relay(client: socket.socket, server: socket.socket) -> None:
    """Until one of them leaves."""
    with selectors.DefaultSelector() as ready, suppress(OSError):
        for one, other in ((client, server), (server, client)):
            ready.register(one, selectors.EVENT_READ, other)
        while True:
            for key, _ in ready.select():
                one = key.fileobj
                assert isinstance(one, socket.socket)
                data = one.recv(65_536)
                while isinstance(one, ssl.SSLSocket) and one.pending():
                    data += one.recv(65_536)
                if not data:
                    return
                key.data.sendall(data)
