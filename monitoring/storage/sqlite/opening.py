"""Opens the local file when a monitor starts, whatever its state. A passing fault does not decide the whole run."""

import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from monitoring.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from monitoring.models import Window
from monitoring.storage.sqlite.file.connection import ReaderPool
from monitoring.storage.sqlite.file.lock import FileLock, NameLock
from monitoring.storage.sqlite.file.rescue import carry_over, set_aside
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore

SHORT_PATIENCE_S = 0.5
PATIENCE_S = 30.0
"""How long a start waits while another program writes the local file: first silently, then after saying so."""

IN_MEMORY = "/dev/shm"  # noqa: S108 - the names in it are random
"""Linux keeps files there in memory, so there is room when all disks are full."""

RECENT_MS = 600_000
"""Checks of this time are taken from a file that cannot be written: more than alerts and the usual windows need."""


class Opening:
    """One start of a monitor. Passes what is unusual to `say`, in a line each."""

    def __init__(self, path: Path, say: Callable[[str], None], now_ms: int) -> None:
        self._path = path
        self._say = say
        self._now_ms = now_ms

    def open(self) -> LocalStore:
        """The store. While its file cannot be written, the store is in a temporary directory, and moves in when it can.

        Raises `MonitoringError` when another monitor writes the file, or when it is another program's, which stays
        untouched. Raises `StoreUnavailable` when there is no place for a file at all.
        """
        try:
            lock = FileLock(self._path)
        except StoreUnavailable as error:
            return self._open_elsewhere(error, self._name_lock(), self._path)
        try:
            return self._open_patiently(lock)
        except StoreDamaged as error:
            return self._begin_anew(error, lock)
        except StoreUnavailable as error:
            return self._open_elsewhere(error, lock, self._path)
        except BaseException:
            lock.release(forget=True)
            raise

    def _name_lock(self) -> NameLock | None:
        """A lock that keeps other monitors off this name while the file itself cannot be locked; None: no place for one.

        Raises `MonitoringError` when another monitor holds it.
        """
        for stands_in in (False, True):
            with suppress(OSError):
                return NameLock(self._path, stands_in=stands_in)
        return None

    def _open_patiently(self, lock: FileLock) -> LocalStore:
        try:
            return LocalStore(self._path, lock, SHORT_PATIENCE_S)
        except StoreBusy as error:
            self._say(f"{error}: another program holds it; waiting for up to {PATIENCE_S:.0f} s")
            return LocalStore(self._path, lock, PATIENCE_S)

    def _begin_anew(self, error: StoreError, lock: FileLock) -> LocalStore:
        """Set a damaged file aside, and begin a new one with what can be read of it."""
        try:
            aside = set_aside(self._path, "damaged", self._now_ms)
        except StoreUnavailable as another:
            return self._open_elsewhere(another, lock, self._path)
        fresh = FileLock(self._path, lock.name)
        lock.release()
        try:
            store = LocalStore(self._path, fresh)
        except StoreUnavailable as another:
            return self._open_elsewhere(another, fresh, aside)
        what = "with its open alerts" if self._take_along(aside, store) else "but its alerts cannot be read"
        self._say(f"{error}; it is now {aside.name}, and a new file was begun, {what}")
        return store

    def _open_elsewhere(self, error: StoreError, lock: FileLock | NameLock | None, readable: Path) -> LocalStore:
        """Begin another file elsewhere, with what can be read of `readable`: the file under its present name."""
        store = self._open_substitute(lock)
        if store is None:
            if lock:
                lock.release()
            raise error
        if not self._take_along(readable, store):
            self._take_along(readable, store, is_still=True)
        self._say(f"{error}; checks are kept in {store.path} instead, until it can be written")
        return store

    def _open_substitute(self, lock: FileLock | NameLock | None) -> LocalStore | None:
        """A store in the usual temporary folder or in memory, whichever takes one; None: neither does."""
        for folder in (None, IN_MEMORY):
            with suppress(OSError, StoreError):
                place = Path(tempfile.mkdtemp(prefix="monitoring-", dir=folder)) / self._path.name
                return LocalStore(place, home=self._path, home_lock=lock)
        return None

    def _take_along(self, path: Path, store: LocalStore, *, is_still: bool = False) -> bool:
        """Copy the newest alerts and checks from the file at `path`. False when its alerts cannot be read.

        `is_still`: without what is in its log, which can be read neither on a full disk nor past somebody's lock.
        """
        with closing(FileReader(path, ReaderPool(path, is_still=is_still))) as reader:
            try:
                alerts = list(reader.last_alerts().values())
                if alerts:
                    store.append((), alerts, self._now_ms)
            except StoreError:
                return False
            with suppress(StoreError):
                last_ms = reader.last_time() or self._now_ms
                window = Window(min(last_ms, self._now_ms - RECENT_MS), last_ms + 1)
                carry_over(reader.results, lambda checks: store.append(checks, (), self._now_ms), window, lambda: None)
        return True
