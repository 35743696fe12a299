"""What libcurl's callbacks take of an answer: the headers, and the body up to a cap."""

from collections.abc import Iterator


class Body:
    """Takes the decompressed body as libcurl delivers it: counts it, ends it at the cap, keeps it only when asked."""

    def __init__(self, cap_bytes: int, keep: bool) -> None:
        self.keeps = keep
        self._cap = cap_bytes
        self._kept = bytearray()
        self._received = 0

    @property
    def full(self) -> bool:
        """Whether the cap was reached: then the transfer ends and counts as received."""
        return self._received >= self._cap

    def receive(self, chunk: bytes) -> int | None:
        """libcurl's write callback: None takes the chunk, -1 ends the transfer."""
        if self.keeps:
            self._kept += chunk[: self._cap - self._received]
        self._received += len(chunk)
        return -1 if self.full else None

    def take(self) -> bytes:
        """What was kept; forgotten here."""
        body = bytes(self._kept)
        self.start()
        return body

    def start(self) -> None:
        """Forget all, before another transfer."""
        self._kept = bytearray()
        self._received = 0


class Head:
    """Takes the headers as libcurl delivers them, one line at a time: keeps those of the last answer."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def receive(self, line: bytes) -> None:
        """libcurl's header callback."""
        if line.startswith(b"HTTP/"):
            self._lines.clear()
        self._lines.append(line)

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """Name in lower case, and value, of each header."""
        for line in self._lines[1:]:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                yield name.strip().lower(), value.strip()
