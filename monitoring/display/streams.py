"""Standard output and standard error on descriptors of their own, so that a stopped terminal stops no other thread."""

import os
import select
import sys
from typing import NamedTuple, Protocol, TextIO

WRITTEN_AT_ONCE = 4_096
"""Bytes. A slow reader accepts one such piece after the other, a stopped one none."""


class Stream(Protocol):
    """Where text goes, as `print` and rich use it."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class Descriptor:
    """Text to a file descriptor of its own, the copy of a standard one.

    It shares no buffer and no lock with Python's own: nobody else meets a thread that stands in a write. Used by one thread
    at a time; only `progress` may be asked by others.
    """

    def __init__(self, standard: TextIO | None) -> None:
        """None: it was closed when the program began, and what goes there is lost."""
        self._file = os.dup(standard.fileno()) if standard else os.open(os.devnull, os.O_WRONLY)
        self._text: list[str] = []
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
        """Write what has come. Raises `OSError`; nothing is kept then, for nobody reads any more."""
        data = memoryview("".join(self._text).encode(self.encoding, "backslashreplace"))
        self._text.clear()
        while data:
            self._in_write = True
            try:
                data = data[os.write(self._file, data[:WRITTEN_AT_ONCE]) :]
            except BlockingIOError:  # another program that shares it has asked for that
                select.select([], [self._file], [])
            finally:
                self._in_write = False
                self._pieces += 1

    def progress(self) -> int | None:
        """How many pieces were written when it stands in a write now; None while it does not."""
        return self._pieces if self._in_write else None


class Streams(NamedTuple):
    """Standard output and standard error, each on a descriptor of its own."""

    stdout: Descriptor
    errors: Descriptor

    @classmethod
    def standard(cls) -> "Streams":
        return cls(Descriptor(sys.stdout), Descriptor(sys.stderr))
