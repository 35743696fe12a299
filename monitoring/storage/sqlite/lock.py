"""One writer a local file: a lock that the kernel frees when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from monitoring.errors import MonitoringError


def lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


class WriterLock:
    """Held by the monitor that writes `database`; the file holds its process id for people."""

    def __init__(self, database: Path) -> None:
        self._path = lock_path(database)
        self._file: int | None = None

    def acquire(self) -> None:
        """Raises `MonitoringError` naming the process that holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise MonitoringError(
                f"{self._path.with_suffix('')}: another monitor writes here already (process {holder})"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._file = descriptor

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def writer_is_alive(database: Path) -> bool:
    """Is a monitor writing this file now?"""
    try:
        descriptor = os.open(lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
