"""Copying, renaming and setting aside whole files. None of this ever replaces a file."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from monitoring.errors import StoreError, StoreUnavailable
from monitoring.models import CheckResult, Window

STEP_PAGES = 250
"""A step copies a megabyte in some milliseconds, as long as a writer may have to wait."""

RETURN_S = 0.001
"""How long a copy pauses between two steps, so that other threads get the lock."""

SYNC_STEPS = 4
"""The copy is flushed to the disk after so many steps, so that the last flush is short, too."""

CARRY_MS = 10_000
"""A step carries over the checks of this time."""

Results = Callable[[Window], Iterable[CheckResult]]
"""Gives the checks of a window. Raises `StoreError`."""

LOGS = ("-wal", "-shm")
"""The files that SQLite keeps beside a database: its write-ahead log, and the index of that."""


def real(path: Path) -> Path:
    """The file behind symbolic links, beside which SQLite keeps its logs."""
    return Path(os.path.realpath(path))


def beside(path: Path, suffix: str) -> Path:
    """The log of a file that has this suffix."""
    file = real(path)
    return file.with_name(file.name + suffix)


def copy(source: sqlite3.Connection, target: Path, lock: threading.Lock, between: Callable[[], None]) -> None:
    """Copy an open database, whose file may have lost its name, into the new file `target`.

    The caller holds `lock` on the connection. Between two steps it is free, and `between` is called. The copy has also what
    is written then by the same connection. Raises `sqlite3.Error`, or `OSError` (`FileExistsError`: the name is taken). Then
    there is no copy.
    """
    draft = target.with_name(target.name + ".saving")
    remove(draft)
    try:
        _copy(source, draft, lock, between)
        give_name(draft, target)
    finally:
        remove(draft)


def _copy(source: sqlite3.Connection, target: Path, lock: threading.Lock, between: Callable[[], None]) -> None:
    connection = sqlite3.connect(target, isolation_level=None)
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)  # closed after SQLite has closed the file, not before
    steps, pause = 0, threading.Event()

    def after_step(status: int, _remaining: int, _pages: int) -> None:
        nonlocal steps
        steps += 1
        if status == sqlite3.SQLITE_DONE:  # the copy would lack what is written after the last step
            return
        lock.release()
        try:
            between()
            pause.wait(RETURN_S)
            if steps % SYNC_STEPS == 0:
                os.fsync(descriptor)
        finally:
            lock.acquire()

    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        source.backup(connection, pages=STEP_PAGES, progress=after_step, sleep=0.01)
        connection.close()
        os.fsync(descriptor)
    finally:
        connection.close()
        os.close(descriptor)


def has_room(connection: sqlite3.Connection, folder: Path) -> bool:
    """Whether this folder has room for a copy of an open database."""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return shutil.disk_usage(folder).free > int(pages) * int(size)


def give_name(file: Path, name: Path) -> None:
    """Rename a file. Raises `FileExistsError` when the name is taken."""
    try:
        os.link(file, name)
        file.unlink()
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if name.exists():
            raise FileExistsError(f"{name}: exists") from None
        file.rename(name)
    _flush_folder(name.parent)


def remove(path: Path) -> None:
    """Delete a file of ours with its logs."""
    for file in (path, *(path.with_name(path.name + suffix) for suffix in LOGS)):
        file.unlink(missing_ok=True)


def free_name(path: Path, why: str, now_ms: int) -> Path:
    """A free name beside `path` that says why and when: `config.db.damaged-2026-11-28T18-40`."""
    stamp = datetime.fromtimestamp(now_ms / 1_000, UTC).strftime("%Y-%m-%dT%H-%M")
    stem, number = f"{path.name}.{why}-{stamp}", 1
    name = path.with_name(stem)
    while name.exists():
        number += 1
        name = path.with_name(f"{stem}-{number}")
    return name


def set_aside(path: Path, why: str, now_ms: int) -> Path:
    """Rename the file and its write-ahead log; return the new name. Raises `StoreUnavailable`."""
    name = free_name(real(path), why, now_ms)
    try:
        real(path).rename(name)
        log, index = (beside(path, suffix) for suffix in LOGS)
        with suppress(FileNotFoundError):
            log.rename(name.with_name(name.name + "-wal"))
        index.unlink(missing_ok=True)
        _flush_folder(name.parent)
    except OSError as error:
        raise StoreUnavailable(f"{path}: cannot be set aside: {error.strerror}") from error
    return name


def carry_over(
    results: Results, store: Callable[[Sequence[CheckResult]], None], window: Window, between: Callable[[], None]
) -> bool:
    """Pass the checks of the window to `store`, newest first. False when some of them are missing there.

    What cannot be read is skipped. When `store` fails, this ends. `between` is called between two steps.
    """
    is_whole = True
    for until_ms in range(window.until_ms, window.from_ms, -CARRY_MS):
        try:
            found = list(results(Window(max(window.from_ms, until_ms - CARRY_MS), until_ms)))
        except StoreError:
            is_whole = False
            continue
        if found:
            try:
                store(found)
            except StoreError:
                return False
            between()
    return is_whole


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
