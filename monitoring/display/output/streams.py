"""Standard output and standard error on descriptors of their own, so that a stopped terminal stops no other thread."""

import errno
import os
import select
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TextIO

KEPT_BYTES = 1 << 20
"""How much of what cannot be written waits for room. What comes then is lost, in whole pieces: no line is cut."""

WRITTEN_AT_ONCE = 4_096
"""Bytes. A slow reader accepts one such piece after the other, a stopped one none."""


def is_gone(error: OSError) -> bool:
    """Does nobody read any more, because the pipe or the terminal is closed?"""
    return error.errno in (errno.EPIPE, errno.EIO)


class Stream(Protocol):
    """Where text goes, as `print` and rich use it."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...

    def isatty(self) -> bool: ...


def begin_line(stream: Stream) -> None:
    """On a terminal what comes next begins a line of its own: Ctrl-C has left its ^C there."""
    if stream.isatty():
        print(file=stream, flush=True)


class Descriptor:
    """Text to a file descriptor of its own, the copy of a standard one.

    It shares no buffer and no lock with Python's own: nobody else meets a thread that stands in a write. Used by one thread
    at a time; only `progress` may be asked by others.
    """

    def __init__(self, standard: TextIO | None) -> None:
        """None: it was closed when the program began, and what goes there is lost."""
        self._file = os.dup(standard.fileno()) if standard else os.open(os.devnull, os.O_WRONLY)
        self._text: list[str] = []
        self._kept = b""
        self._pieces = 0
        self._in_write = False
        self.encoding = standard.encoding if standard else "utf-8"

    def isatty(self) -> bool:
        return os.isatty(self._file)

    def fileno(self) -> int:
        return self._file

    def write(self, text: str) -> int:
        self._text.append(text)
        return len(text)

    def flush(self) -> None:
        """Write what has come. Raises `OSError`; what did not fit on a full disk is kept, and written by a later call."""
        text = "".join(self._text).encode(self.encoding, "backslashreplace")
        self._text.clear()
        data = memoryview(self._kept + text if len(self._kept) < KEPT_BYTES else self._kept)
        self._kept = b""
        try:
            self._write(data)
        except OSError as error:
            if is_gone(error):
                self._kept = b""
            raise

    def _write(self, data: memoryview) -> None:
        while data:
            self._in_write = True
            try:
                data = data[os.write(self._file, data[:WRITTEN_AT_ONCE]) :]
            except BlockingIOError:  # another program that shares it has asked for that
                select.select([], [self._file], [])
            except OSError:
                self._kept = bytes(data)
                raise
            finally:
                self._in_write = False
                self._pieces += 1

    def progress(self) -> int | None:
        """How many pieces were written when it stands in a write now; None while it does not."""
        return self._pieces if self._in_write else None


class Printing:
    """Shows things as long as somebody reads. A full disk is reported once, and once when what it kept back is written."""

    def __init__(self, streams: Sequence[Descriptor], report: Callable[[str], None]) -> None:
        """`streams` are those that are written to; `report` takes a sentence for stderr."""
        self._streams = tuple(streams)
        self._report = report
        self._is_lost = False

    def attempt(self, show: Callable[[], object]) -> None:
        """Call it. Raises `BrokenPipeError` when nobody reads any more."""
        try:
            show()
            self._write_kept()
        except OSError as error:
            if is_gone(error):
                raise BrokenPipeError from error
            if not self._is_lost:
                self._is_lost = True
                self._report(f"nothing can be printed: {error.strerror}")

    def _write_kept(self) -> None:
        if self._is_lost:
            for stream in self._streams:
                stream.flush()
            self._is_lost = False
            self._report("printing goes on")


class Streams(NamedTuple):
    """Standard output and standard error, each on a descriptor of its own."""

    stdout: Descriptor
    errors: Descriptor

    @classmethod
    def standard(cls) -> "Streams":
        return cls(Descriptor(sys.stdout), Descriptor(sys.stderr))
