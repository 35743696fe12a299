"""Opens the local file when a monitor starts, whatever its state. A passing fault does not decide the whole run."""

import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from monitoring.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from monitoring.models import Window
from monitoring.storage.sqlite.file.connection import ReaderPool
from monitoring.storage.sqlite.file.lock import IN_MEMORY, NameLock
from monitoring.storage.sqlite.file.rescue import carry_over, set_aside
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore

SHORT_PATIENCE_S = 0.5
PATIENCE_S = 30.0
"""How long a start waits while another program writes the local file: first silently, then after saying so."""

RECENT_MS = 600_000
"""Checks of this time are taken from a file that cannot be written: more than alerts and the usual windows need."""


class Opening:
    """One start of a monitor. Passes what is unusual to `say`, in a line each."""

    def __init__(self, path: Path, say: Callable[[str], None], now_ms: int) -> None:
        self._path = self._readable = path
        self._say = say
        self._now_ms = now_ms

    def open(self) -> LocalStore:
        """The store. While its file cannot be written, the store is in a temporary directory, and moves in when it can.

        Raises `MonitoringError` when another monitor writes the file, or when it is another program's, which stays
        untouched. Raises `StoreUnavailable` when there is no place for a file at all.
        """
        name = NameLock(self._path)
        try:
            try:
                return self._open_in_place(name)
            except StoreUnavailable as error:
                return self._open_elsewhere(error, name)
        except BaseException:
            name.forget()
            name.release()
            raise

    def _open_in_place(self, name: NameLock) -> LocalStore:
        """Set a damaged file aside, and begin a new one with what can be read of it."""
        try:
            return self._open_patiently(name)
        except StoreDamaged as error:
            self._readable = aside = set_aside(self._path, "damaged", self._now_ms)
            store = LocalStore(self._path, name=name)
            what = "with its open alerts" if self._take_along(store) else "but its alerts cannot be read"
            self._say(f"{error}; it is now {aside.name}, and a new file was begun, {what}")
            return store

    def _open_patiently(self, name: NameLock) -> LocalStore:
        try:
            return LocalStore(self._path, SHORT_PATIENCE_S, name=name)
        except StoreBusy as error:
            self._say(f"{error}: another program holds it; waiting for up to {PATIENCE_S:.0f} s")
            return LocalStore(self._path, PATIENCE_S, name=name)

    def _open_elsewhere(self, error: StoreError, name: NameLock) -> LocalStore:
        """Begin another file in the usual temporary folder or in memory, with what can be read of the one that is there."""
        for folder in (None, IN_MEMORY):
            with suppress(OSError, StoreError):
                place = Path(tempfile.mkdtemp(prefix="monitoring-", dir=folder)) / self._path.name
                store = LocalStore(place, home=self._path, name=name)
                break
        else:
            raise error
        if not self._take_along(store):
            self._take_along(store, is_still=True)
        self._say(f"{error}; checks are kept in {store.path} instead, until it can be written")
        return store

    def _take_along(self, store: LocalStore, *, is_still: bool = False) -> bool:
        """Copy the newest alerts and checks from the file that can be read. False when its alerts cannot be read.

        `is_still`: without what is in its log, which can be read neither on a full disk nor past somebody's lock.
        """
        pool = ReaderPool(self._readable, is_still=is_still)
        with closing(FileReader(self._readable, pool)) as reader:
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
