"""What is done with whole files: copy an open one, give a copy its name, set one aside. No file is ever replaced."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

from monitoring.errors import StoreError, StoreUnavailable
from monitoring.models import CheckResult, Window

STEP_PAGES = 250
"""A step of a copy is a megabyte, some milliseconds: nobody who wants to write waits for longer."""

SYNC_STEPS = 4
"""After so many steps the copy is brought to the disk, so that the last flush is short as well."""

CARRY_MS = 10_000
"""So many milliseconds of checks are carried over in one step."""

Results = Callable[[Window], Iterable[CheckResult]]
"""What gives the checks of a window. Raises `StoreError`."""

LOGS = ("-wal", "-shm")
"""What SQLite keeps beside a file: its write-ahead log, and the index of that."""


def real(path: Path) -> Path:
    """The file itself where `path` is a symbolic link: what SQLite keeps beside it bears this name."""
    return Path(os.path.realpath(path))


def beside(path: Path, suffix: str) -> Path:
    """What SQLite keeps beside a file."""
    file = real(path)
    return file.with_name(file.name + suffix)


def copy(source: sqlite3.Connection, target: Path, pause: Callable[[], AbstractContextManager[None]]) -> None:
    """Copy all of an open database, the file of which may have lost its name, into the new file `target`.

    Between two steps `pause` is entered and left, when nobody need wait. What is written meanwhile through the same
    connection is in the copy. Raises `sqlite3.Error` and `OSError`; then `target` is worthless.
    """
    connection = sqlite3.connect(target, isolation_level=None)
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)  # closed after SQLite has closed the file, not before
    steps = 0

    def after_step(status: int, _remaining: int, _pages: int) -> None:
        nonlocal steps
        steps += 1
        if status != sqlite3.SQLITE_DONE:  # after the last step nothing may be written that the copy would lack
            with pause():
                if steps % SYNC_STEPS == 0:
                    os.fsync(descriptor)

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
    """May all of an open database be copied into this folder?"""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return shutil.disk_usage(folder).free > int(pages) * int(size)


def give_name(file: Path, name: Path) -> None:
    """Rename a file unless the name is taken. Raises `FileExistsError`."""
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
    """Delete a file of ours, with what lies beside it."""
    for file in (path, *(path.with_name(path.name + suffix) for suffix in LOGS)):
        file.unlink(missing_ok=True)


def free_name(path: Path, why: str, now_ms: int) -> Path:
    """A name beside `path` that says why and when: `config.db.damaged-2026-11-28T18-40`."""
    stamp = datetime.fromtimestamp(now_ms / 1_000, UTC).strftime("%Y-%m-%dT%H-%M")
    stem, number = f"{path.name}.{why}-{stamp}", 1
    name = path.with_name(stem)
    while name.exists():
        number += 1
        name = path.with_name(f"{stem}-{number}")
    return name


def set_aside(path: Path, why: str, now_ms: int) -> Path:
    """Rename the file, with its write-ahead log; returns its new name. Raises `StoreUnavailable`."""
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
    """Store the checks of the window in another file as well, newest first; False when some are missing there.

    What cannot be read is left out; when nothing can be written any more it ends. `between` is called between two steps.
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
