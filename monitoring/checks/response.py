"""Receives an answer from libcurl: its headers, and its body, which is decoded, counted and kept if it is needed."""

import re
from collections.abc import Iterator, Sequence

from monitoring.checks.assertions import REDIRECTS
from monitoring.checks.decoding import Decoder, Undecodable, open_decoder
from monitoring.checks.failure import NO_HTTP

_STATUS = re.compile(rb"HTTP/\S+\s+([2-9]\d\d)", re.IGNORECASE)
_REDIRECTS = frozenset(str(status).encode() for status in REDIRECTS)
_HTTP_2_SETTINGS = re.compile(rb"\0..\x04\0\0\0\0\0", re.DOTALL)
"""The first bytes that an HTTP/2 server sends, whatever the request."""

ONLY_HTTP_2 = 'the server speaks HTTP/2 only; "httpVersion": "2" checks it that way'

_LONGEST_END = 2
"""The line that ends the headers is CRLF, or LF alone."""


class Response:
    """Receives one answer after another; call `begin` before each transfer. Its callbacks run in the network thread.

    `keeps`: whether the body is kept; otherwise it is only counted. `follows`: whether redirects are followed.
    """

    def __init__(self, cap_bytes: int, keeps: bool, follows: bool) -> None:
        """`cap_bytes`: how many bytes of a decoded body are read."""
        self.keeps = keeps
        self._follows = follows
        self._cap = cap_bytes
        self._body = bytearray()
        self.begin()

    def begin(self) -> None:
        """Forget the last answer."""
        self._lines: list[bytes] = []
        self._head: Sequence[bytes] = ()
        self._body.clear()
        self._received = 0
        self._decoder: Decoder | None = None
        self.target: bytes | None = None
        """The target of a redirect that is to be followed, as the server wrote it. It ends the transfer."""
        self.failure: str | None = None
        """Why this is not an HTTP answer, or why its body cannot be decoded. It ends the transfer."""

    @property
    def has_head(self) -> bool:
        """Whether all headers were received."""
        return bool(self._head)

    @property
    def full(self) -> bool:
        """Whether the cap was reached. Then the transfer ends, and counts as complete."""
        return self._received >= self._cap

    @property
    def ends_with_connection(self) -> bool:
        """Whether all headers were received, and only the end of the connection marks the end of the body.

        HTTP/2 marks the end of a body itself. `identity`, which older servers send, is not an encoding.
        """
        if not self.has_head or self._head[0].startswith(b"HTTP/2"):
            return False
        encodings = {value.lower() for value in self._values("transfer-encoding")}
        return not self._values("content-length") and encodings <= {b"identity"}

    @property
    def is_cut(self) -> bool:
        """Whether the body ended in the middle of its encoding. Valid after the transfer."""
        return self._decoder is not None and not self._decoder.is_complete

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """The name, in lower case, and the value of each header."""
        for name, value in self._raw_fields:
            yield name, _text(value)

    @property
    def _raw_fields(self) -> Iterator[tuple[str, bytes]]:
        for line in self._head[1:]:
            name, colon, value = line.partition(b":")
            if colon:
                yield _text(name).strip().lower(), value.strip()

    def _values(self, name: str) -> list[bytes]:
        """The values of a header in their order; `name` is in lower case."""
        return [value for known, value in self._raw_fields if known == name]

    def take_body(self) -> bytes:
        """Return the body that was kept, and forget it."""
        body = bytes(self._body)
        self._body.clear()
        return body

    def receive_header(self, line: bytes) -> int | None:
        """libcurl's header callback, called for every line: None continues, -1 ends the transfer."""
        self._lines.append(line)
        return self._end_headers() if len(line) <= _LONGEST_END else None

    def receive_body(self, chunk: bytes) -> int | None:
        """libcurl's write callback: None accepts the chunk, -1 ends the transfer."""
        if not self._head:
            self.failure = ONLY_HTTP_2 if _HTTP_2_SETTINGS.match(chunk) else NO_HTTP
            return -1
        if self._decoder is None:
            return self._count(chunk)
        try:
            for piece in self._decoder.feed(chunk):
                if self._count(piece):
                    return -1
        except Undecodable as error:
            self.failure = str(error)
            return -1
        return None

    def _end_headers(self) -> int | None:
        head, self._lines = self._lines, []
        status = _STATUS.match(head[0])
        if not status:  # an interim answer, or trailers after a body
            return None
        self._head, self._decoder = head, None  # of several answers (401, then one to the login) the last counts
        if self._follows and status[1] in _REDIRECTS:
            self.target = next(filter(None, self._values("location")), None)
        if self.target:
            return -1  # nobody reads the redirect's own page
        if b"content-encoding" in b"".join(head).lower():
            self._decoder = open_decoder(_text(b",".join(self._values("content-encoding"))))
        return None

    def _count(self, chunk: bytes) -> int | None:
        if self.keeps:
            self._body += chunk[: self._cap - self._received]
        self._received += len(chunk)
        return -1 if self._received >= self._cap else None


def _text(value: bytes) -> str:
    """Decode as UTF-8, which most servers mean, or else as latin-1, which never fails."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
