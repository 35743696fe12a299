"""Decodes `Content-Encoding` as browsers do, piece by piece and in bounded memory.

libcurl could do it, but it refuses a page with an unknown encoding, and accepts a page that was cut off.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import Protocol

ACCEPTED = "gzip, deflate, br"
"""The encodings that a check accepts. Some servers send zstd anyway, because browsers and curl accept it."""

PIECE_BYTES = 1 << 16
MOST_BYTES = 64 << 20
"""How many bytes one encoding may unpack to, so that nested encodings cannot unpack to gigabytes."""

_GZIP_HEADER = re.compile(rb"\x1f\x8b\x08.{7}", re.DOTALL)
_GZIP_CHECKSUM, _GZIP_EXTRA, _GZIP_NAME, _GZIP_COMMENT = 2, 4, 8, 16
_LONGEST_GZIP_HEADER = 1 << 17
_ZSTANDARD_MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOW_LOG = 23
"""8 MB, the largest window that browsers allow (RFC 9659)."""


class Undecodable(Exception):
    """The body does not match its `Content-Encoding`; the message is for people."""


class Stage(Protocol):
    """Decodes one encoding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields pieces of at most about `PIECE_BYTES`. Raises `Undecodable`."""

    @property
    def is_complete(self) -> bool:
        """Whether the end of the encoded data was reached; anything after it is ignored."""


class _Inflate:
    """gzip or deflate, the latter with or without zlib's header: servers send both. Like browsers, it ignores checksums."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._header = _gzip_header if name == "gzip" else _zlib_header
        self._left = MOST_BYTES
        self._begin: bytes | None = b""
        self._decompressor = zlib.decompressobj(wbits=-15)

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            if self._begin is not None:
                data = self._begin + data
                length = self._header(data)
                self._begin = data if length is None else None
                if length is None:
                    return
                data = data[length:]
            while not self._decompressor.eof:
                piece = self._decompressor.decompress(data, PIECE_BYTES)
                self._left = _counted(self._left, piece)
                yield piece
                data = self._decompressor.unconsumed_tail
                if not data and len(piece) < PIECE_BYTES:
                    return
        except zlib.error:
            raise Undecodable(f"the body is not {self._name}, as its Content-Encoding says") from None

    @property
    def is_complete(self) -> bool:
        return self._decompressor.eof


def _gzip_header(data: bytes) -> int | None:
    """The length of a gzip header; None if more data are needed. Raises `zlib.error` if it is not one."""
    if not data.startswith(b"\x1f\x8b\x08"[: len(data)]):
        raise zlib.error
    found = _GZIP_HEADER.match(data)
    if found is None:
        return None
    flags, end = data[3], found.end()
    if flags & _GZIP_EXTRA:
        end += 2 + int.from_bytes(data[end : end + 2], "little") if len(data) >= end + 2 else len(data)
    for flag in (_GZIP_NAME, _GZIP_COMMENT):
        if flags & flag:
            end = data.find(b"\0", end) + 1 or len(data) + 1
    end += 2 if flags & _GZIP_CHECKSUM else 0
    if end > _LONGEST_GZIP_HEADER:
        raise zlib.error
    return end if end <= len(data) else None


def _zlib_header(data: bytes) -> int | None:
    """The length of a zlib header, 0 if there is none; None if more data are needed."""
    if len(data) < 2:
        return None
    return 2 if data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0 else 0


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


class _Zstandard:
    def __init__(self) -> None:
        import pyzstd

        self._left = MOST_BYTES
        self._error = pyzstd.ZstdError
        self._new = partial(pyzstd.ZstdDecompressor, option={pyzstd.DParameter.windowLogMax: _WINDOW_LOG})
        self._decompressor = self._new()
        self._after = b""  # what came after the end of a frame

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._decompressor.eof:
                data = self._after + data
                if not data.startswith(_ZSTANDARD_MAGIC):  # not another frame, or not yet
                    self._after = data[: len(_ZSTANDARD_MAGIC)]
                    return
                self._decompressor = self._new()
            try:
                piece = self._decompressor.decompress(data, PIECE_BYTES)
            except self._error:
                raise Undecodable("the body is not zstd, as its Content-Encoding says") from None
            self._left = _counted(self._left, piece)
            yield piece
            data = b""
            if self._decompressor.eof:
                self._after, data = b"", self._decompressor.unused_data
            elif self._decompressor.needs_input:
                return

    @property
    def is_complete(self) -> bool:
        return bool(self._decompressor.eof)


def _counted(left: int, piece: bytes) -> int:
    if len(piece) > left:
        raise Undecodable(f"the body unpacks to more than {MOST_BYTES >> 20} MB")
    return left - len(piece)


_STAGES: Mapping[str, Callable[[], Stage]] = MappingProxyType(
    {"gzip": lambda: _Inflate("gzip"), "deflate": lambda: _Inflate("deflate"), "br": _Brotli, "zstd": _Zstandard}
)


class Decoder:
    """Decodes all encodings of a body, one after the other."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """`stages` are in the order in which they decode."""
        self._stages = stages
        self._is_empty = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields pieces of the decoded body. Raises `Undecodable`."""
        self._is_empty = False
        pieces: Iterable[bytes] = (data,)
        for stage in self._stages:
            pieces = chain.from_iterable(map(stage.feed, pieces))
        return iter(pieces)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing at the end. A body of no bytes at all is complete, too."""
        return self._is_empty or all(stage.is_complete for stage in self._stages)


def open_decoder(content_encoding: str) -> Decoder | None:
    """The decoder for a `Content-Encoding` header; None if the body is to be taken as it is.

    That includes unknown encodings, as in browsers: some servers write `UTF-8` or `none` there.
    """
    names = [name.strip().lower().removeprefix("x-") for name in content_encoding.split(",")]
    encodings = [name for name in names if name not in ("", "identity")]
    if not encodings or not all(name in _STAGES for name in encodings):
        return None
    return Decoder([_STAGES[name]() for name in reversed(encodings)])
