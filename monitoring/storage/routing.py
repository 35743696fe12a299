"""Which store `-p`, `-a` and `-w` read. They choose anew before each question, because stores come and go."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Protocol

from monitoring.clock import Clock
from monitoring.config import Config
from monitoring.errors import StoreError
from monitoring.models import Window
from monitoring.shell import Program
from monitoring.storage.backends import database_address, open_backend
from monitoring.storage.base import FRESH_MS, MOST_LOCATIONS, SLOW_PENALTY_MS, Backend, Reader
from monitoring.storage.delivery import words
from monitoring.storage.delivery.words import Condition, Source
from monitoring.storage.notifications import Entry
from monitoring.storage.sqlite.file.lock import Identity, identity_of, is_empty, writer_is_alive, written_file
from monitoring.storage.sqlite.file.rescue import beside
from monitoring.storage.sqlite.reader import FileReader
from monitoring.units import DAY_MS


def no_monitor_text(program: Program) -> str:
    """What to do where no monitor of this configuration has ever run."""
    return f"no monitor has run here yet: start {program.command('-m') or 'one'}"


PROBE_PATIENCE_S = 2.0
"""How long the database may take to show that it answers."""

RECENT_MS, RECENT = DAY_MS, "the past day"
"""The local file is read while the database has refused something within this time."""

Readers = Mapping[str, Reader]
"""A reader of each location, by its name."""


class ReadFile:
    """The local file for reading. It may appear, go or be replaced; its monitor may write another one in its place.

    Several threads may use it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_path = path
        """The file that is read now."""
        self._lock = RLock()
        self._reader: FileReader | None = None
        self._identity: tuple[Identity, Identity | None] | None = None

    def open(self) -> FileReader | None:
        """A reader of the file that is there now (None: there is none); the same one while file and log are the same."""
        with self._lock:
            path = written_file(self.path)
            identity = _identity_with_log(path)
            if identity and self._identity == (identity[0], None) and os.access(path.parent, os.W_OK):
                self._identity = identity  # our own reader created the log
            if identity != self._identity or path != self.read_path:
                self.close()
                self._reader, self._identity = FileReader(path) if identity else None, identity
                self.read_path = path
                if self._reader and writer_is_alive(path) and self._reader.has_no_tables():
                    self.close()  # a monitor is about to create them: look again at the next question
            return self._reader

    def close(self) -> None:
        with self._lock:
            if self._reader:
                self._reader.close()
            self._reader, self._identity = None, None


def _identity_with_log(path: Path) -> tuple[Identity, Identity | None] | None:
    file = identity_of(path)
    if file is None or is_empty(path):  # a monitor is about to fill an empty one
        return None
    return file, identity_of(beside(path, "-wal"))


def readers_of(database: Backend, wanted: str | None, at: Callable[[str], Reader]) -> Readers:
    """The reader `at` each location of this database (None) or at the wanted one; none if no monitor has written there.

    Raises `StoreError`.
    """
    found = database.locations() or [""] if database.is_known() else []
    chosen = [location for location in found if wanted in (None, location)]
    return {location: at(location) for location in chosen[:MOST_LOCATIONS]}


class Choice(Protocol):
    """Says whom to ask, as stores come and go. Methods but `deliveries` are called by one thread."""

    def choose(self) -> tuple[Readers, Source]:
        """The readers to ask now, and why these. Raises `StoreError` when there are none."""

    def distrust(self, error: StoreError) -> None:
        """Those chosen last left a question open."""

    def follow(self, config: Config) -> None:
        """Choose by another configuration from now on."""

    @property
    def name(self) -> str:
        """The database's name for people; "" when there is none."""

    def conditions(self) -> Sequence[Condition]:
        """What a person should know of the stores."""

    def deliveries(self, window: Window) -> Sequence[Entry]:
        """What is known of the notifications of a window; from any thread."""

    def close(self) -> None:
        """Close what is open."""


class ReaderChoice:
    """Keeps `Choice`: the database if it answers and no live monitor of this configuration has undelivered data, else the
    local file.

    The database knows all locations, the local file its own only. This object owns the readers, which stay open.
    """

    def __init__(
        self, config: Config, clock: Clock, patience_s: float = PROBE_PATIENCE_S, wanted: str | None = None
    ) -> None:
        """`patience_s` limits a question to the database. `wanted` is the only location of interest (None: all are)."""
        self._clock = clock
        self._patience_s = patience_s
        self._wanted = wanted
        self._open(config)

    def _open(self, config: Config) -> None:
        self._address = database_address(config)
        self._local = ReadFile(config.local_database)
        self._resting: tuple[int, str] | None = None
        self._probe = open_backend(self._address, PROBE_PATIENCE_S) if self._address.backend else None
        self._patient: dict[str, Reader] = {}
        self._config = config

    def follow(self, config: Config) -> None:
        if database_address(config) != self._address or config.local_database != self._local.path:
            self.close()
            self._open(config)
        self._config = config

    def choose(self) -> tuple[Readers, Source]:
        local = self._local.open() if self._wanted in (None, self._config.location) else None
        readers, why = self._ask_around(local)
        if readers:
            return readers, Source(next(iter(readers.values())).kind, why)
        if local is None:
            raise StoreError(self._nobody(why))
        return {self._config.location: local}, Source(local.kind, why)

    @property
    def name(self) -> str:
        return self._probe.name if self._probe else ""

    def conditions(self) -> Sequence[Condition]:
        local = self._local.open()
        found = [] if local is None or local.path == self._local.path else [words.elsewhere(local.path, self._local.path)]
        if self._probe and local:
            found += words.refused(self._probe.name, local.refusals())
        return found

    def deliveries(self, window: Window) -> Sequence[Entry]:
        """The notifications of a window, from the local file; none where it cannot be read."""
        with suppress(StoreError):
            local = self._local.open()
            return local.deliveries(window) if local else ()
        return ()

    def _ask_around(self, local: FileReader | None) -> tuple[Readers, str]:
        """The readers of the database and why to ask them; or no readers and why not."""
        if self._probe is None:
            return {}, words.AS_CONFIGURED
        if local and (reason := self._rests()):
            return {}, reason
        try:
            readers = readers_of(self._probe, self._wanted, self._patient_reader)
        except StoreError as error:
            if local is None and self._config.database is not None:  # there is nothing else to read, and its error says why
                raise
            self.distrust(error)
            return {}, self._rests() or ""
        if not readers:
            return {}, f"no monitor has written to {self._probe.name}"
        if local and (reason := self._lacks(local)):
            return {}, reason
        return readers, f"{self._probe.name} answers"

    def _patient_reader(self, location: str) -> Reader:
        if location not in self._patient:
            self._patient[location] = open_backend(self._address, self._patience_s, location)
        return self._patient[location]

    def _nobody(self, why: str) -> str:
        """Why there is nothing to read, in words."""
        if self._local.read_path != self._local.path:
            return f"{words.elsewhere(self._local.read_path, self._local.path).text}, which cannot be read from here"
        if writer_is_alive(self._local.path) and not self._local.path.exists():  # else it has just begun to make it
            return f"{self._local.path}: a monitor is running, and its file is gone; it saves it as soon as it can"
        if self._wanted is None:
            return no_monitor_text(self._config.program)
        there = "the local file is of another one" if self._probe is None else f"{why} from there"
        return f"nothing is known of this location: {there}"

    def distrust(self, error: StoreError) -> None:
        """The database did not answer a question: ask the local file for a while, if there is one."""
        is_missed = self._config.database is not None or self._has_met()
        why = str(error) if is_missed else words.stored_text(self._local.path.name)
        self._resting = (self._clock.now_ms() + SLOW_PENALTY_MS, why)

    def _has_met(self) -> bool:
        """Whether a monitor of this configuration has ever delivered. There may never have been a default database."""
        local = self._local.open()
        with suppress(StoreError):
            return local is not None and local.delivered().delivery > 0
        return False

    def _rests(self) -> str | None:
        return self._resting[1] if self._resting and self._clock.now_ms() < self._resting[0] else None

    def close(self) -> None:
        self._local.close()
        for store in (self._probe, *self._patient.values()):
            if store:
                store.close()

    def _lacks(self, local: FileReader) -> str | None:
        """What the database lacks of a live monitor; None: nothing. (What a dead one left may never be delivered.)"""
        name, now_ms = self.name, self._clock.now_ms()
        if not writer_is_alive(self._local.path):
            return None
        pending = local.pending()
        if pending.oldest_ms is not None and now_ms - pending.oldest_ms > FRESH_MS:
            return words.behind_text(name, pending)
        # Refused summaries do no harm: the points answer.
        refused = [it for it in local.refusals() if it.kind in ("checks", "alerts") and it.last_ms >= now_ms - RECENT_MS]
        return words.lacking_text(name, sum(it.count for it in refused), RECENT) if refused else None
