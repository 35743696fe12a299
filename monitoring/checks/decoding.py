"""Undoes `Content-Encoding` as browsers do: piece by piece, in bounded memory.

libcurl could do it, but it refuses a page whose encoding it does not know, and takes one that is cut off for whole.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

ACCEPTED = "gzip, deflate, br"
"""What a check asks for."""

PIECE_BYTES = 1 << 16
MOST_BYTES = 64 << 20
"""What one encoding may unpack to: an encoding inside another one is no place to hide gigabytes of nothing."""


class Undecodable(Exception):
    """The body is not what its `Content-Encoding` says; the text is for people."""


class Stage(Protocol):
    """Undoes one encoding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of at most about `PIECE_BYTES`. Raises `Undecodable`."""

    @property
    def is_complete(self) -> bool:
        """Whether the end of the encoded data has come; what follows it is ignored."""


class _Zlib:
    """gzip or deflate; the latter with or without zlib's header, as servers send both."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = MOST_BYTES
        self._begin = b""
        self._decompressor = zlib.decompressobj(wbits=31) if name == "gzip" else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._decompressor is None:
            data = self._begin + data
            if len(data) < 2:
                self._begin = data
                return
            self._decompressor = zlib.decompressobj(wbits=15 if _has_zlib_header(data) else -15)
        while not self._decompressor.eof:
            try:
                piece = self._decompressor.decompress(data, PIECE_BYTES)
            except zlib.error:
                raise Undecodable(f"the body is not {self._name}, as its Content-Encoding says") from None
            self._left = _counted(self._left, piece)
            yield piece
            data = self._decompressor.unconsumed_tail
            if not data and len(piece) < PIECE_BYTES:
                return

    @property
    def is_complete(self) -> bool:
        return self._decompressor is not None and self._decompressor.eof


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._left = MOST_BYTES
        self._error = brotli.error
        self._decompressor = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while not self._decompressor.is_finished():
            try:
                piece = self._decompressor.process(data, output_buffer_limit=PIECE_BYTES)
            except self._error:
                raise Undecodable("the body is not br, as its Content-Encoding says") from None
            self._left = _counted(self._left, piece)
            yield piece
            data = b""
            if self._decompressor.can_accept_more_data():
                return

    @property
    def is_complete(self) -> bool:
        return bool(self._decompressor.is_finished())


def _counted(left: int, piece: bytes) -> int:
    if len(piece) > left:
        raise Undecodable(f"the body unpacks to more than {MOST_BYTES >> 20} MB")
    return left - len(piece)


class Decoder:
    """All encodings of a body, undone one after the other."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """`stages` in the order in which they are undone."""
        self._stages = stages
        self._is_empty = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of the plain body. Raises `Undecodable`."""
        self._is_empty = False
        pieces: Iterable[bytes] = (data,)
        for stage in self._stages:
            pieces = chain.from_iterable(map(stage.feed, pieces))
        return iter(pieces)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing at the end. No body at all is none that was cut off."""
        return self._is_empty or all(stage.is_complete for stage in self._stages)


def open_decoder(content_encoding: str) -> Decoder | None:
    """What undoes the encodings that a header lists; None: the body is taken as it comes.

    So it is when one of them is unknown: browsers show such a page as it is; some servers put `UTF-8` or `none` there.
    """
    names = [name.strip().lower().removeprefix("x-") for name in content_encoding.split(",")]
    encodings = [name for name in names if name not in ("", "identity")]
    if not encodings or not all(name in ("gzip", "deflate", "br") for name in encodings):
        return None
    return Decoder([_Brotli() if name == "br" else _Zlib(name) for name in reversed(encodings)])
