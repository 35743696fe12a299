"""Standard output and standard error on separate descriptors, so that a stopped terminal blocks no other thread."""

import errno
import os
import select
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TextIO

KEPT_BYTES = 1 << 20
"""How much unwritten text to keep. Further text is lost as a whole, so that no line is cut."""

WRITTEN_AT_ONCE = 4_096
"""The size of a piece in bytes. A slow reader accepts one piece after the other, a stopped one none."""


def is_gone(error: OSError) -> bool:
    """Has the reader closed the pipe or the terminal?"""
    return error.errno in (errno.EPIPE, errno.EIO)


class Stream(Protocol):
    """An output stream, as `print` and rich use it."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...

    def isatty(self) -> bool: ...


def begin_line(stream: Stream) -> None:
    """Begin a new line on a terminal, where Ctrl-C has left its ^C."""
    if stream.isatty():
        print(file=stream, flush=True)


class Descriptor:
    """A text stream on a copy of a standard file descriptor.

    It shares no buffer and no lock with Python's own streams, so that no other thread waits while one is blocked in a write.
    One thread at a time may use it; only `progress` is for any thread.
    """

    def __init__(self, standard: TextIO | None) -> None:
        """`standard` is None if it was closed when the program began; then all text is lost."""
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
        """Write the collected text. Raises `OSError`. Text that does not fit on a full disk is kept for a later call."""
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
            except BlockingIOError:  # another program has made it non-blocking
                select.select([], [self._file], [])
            except OSError:
                self._kept = bytes(data)
                raise
            finally:
                self._in_write = False
                self._pieces += 1

    def progress(self) -> int | None:
        """The number of written pieces, if a write is in progress; else None."""
        return self._pieces if self._in_write else None


class Printing:
    """Prints as long as the output is read. A full disk is reported once, and so is its end."""

    def __init__(self, streams: Sequence[Descriptor], report: Callable[[str], None]) -> None:
        """`streams` are those that are printed to. `report` prints a sentence to stderr."""
        self._streams = tuple(streams)
        self._report = report
        self._is_lost = False

    def attempt(self, show: Callable[[], object]) -> None:
        """Call `show`. Raises `BrokenPipeError` if the reader is gone."""
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
            self._report("printing works again")


class Streams(NamedTuple):
    """Standard output and standard error, each on a descriptor of its own."""

    stdout: Descriptor
    errors: Descriptor

    @classmethod
    def standard(cls) -> "Streams":
        return cls(Descriptor(sys.stdout), Descriptor(sys.stderr))
