"""A server that speaks HTTP/2 and nothing else."""

import socket
import ssl
import threading

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from h2.exceptions import ProtocolError

from tests.support.servers import RawServer


class Http2Server(RawServer):
    """Answers every request with 200 and `body`; whoever speaks another language gets what the standard says: settings.

    `silent`: such a one is hung up on without a word. `cut`: the connection ends before the body does. `leaves`: it ends
    as soon as the body has, whose length is announced.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        body: bytes = b"two",
        silent: bool = False,
        cut: bool = False,
        leaves: bool = False,
    ) -> None:
        if tls:
            tls.set_alpn_protocols(["h2"])
        super().__init__(self._speak, tls)
        self._body = body
        self._silent = silent
        self._cut = cut
        self._leaves = leaves
        self._count = threading.Lock()
        self.methods: list[str] = []
        self.connections = 0

    def _speak(self, connection: socket.socket) -> None:
        with self._count:
            self.connections += 1
        if self._silent and isinstance(connection, ssl.SSLSocket) and connection.selected_alpn_protocol() != "h2":
            return
        http = H2Connection(H2Configuration(client_side=False))
        http.initiate_connection()
        if not self._silent:
            connection.sendall(http.data_to_send())
        while (received := connection.recv(65_536)) and self._understands(http, received):
            connection.sendall(http.data_to_send())
            if self._leaves and self.methods:
                return
            if self._cut and self.methods:
                connection.shutdown(socket.SHUT_WR)  # by TLS: without close_notify
                while connection.recv(65_536):  # else it would be a reset
                    pass
                return

    def _understands(self, http: H2Connection, received: bytes) -> bool:
        """Prepare what follows from this; False: it is no HTTP/2."""
        try:
            events = http.receive_data(received)
        except ProtocolError:
            return False
        for event in events:
            if isinstance(event, RequestReceived):
                self._answer(http, event)
        return True

    def _answer(self, http: H2Connection, event: RequestReceived) -> None:
        method = dict(event.headers or ())[b":method"].decode()
        with self._count:
            self.methods.append(method)
        body = b"" if method == "HEAD" else self._body
        length = [("content-length", str(len(self._body)))] if self._leaves else []
        http.send_headers(event.stream_id, [(":status", "200"), *length])
        http.send_data(event.stream_id, body, end_stream=not self._cut)
