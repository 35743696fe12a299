"""Purges the local file of a monitor, or of a gateway."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from monitoring.clock import Clock
from monitoring.config import Config
from monitoring.display.output.progress import Progress
from monitoring.errors import MonitoringError, StoreError, StoreUnavailable
from monitoring.notifications.routing import route_of
from monitoring.storage.delivery.upkeep import monitor_upkeep
from monitoring.storage.sqlite.database import SharedFile
from monitoring.storage.sqlite.file.connection import opened_briefly, transaction
from monitoring.storage.sqlite.file.lock import writer_is_alive
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import purge
from monitoring.storage.sqlite.tables.purge import Preview, Request

if TYPE_CHECKING:
    from monitoring.storage.base import Backend

Answer = TypeVar("Answer")

POLL_S = 0.2
MOST_IDLE_POLLS = 300
"""How often to ask a running monitor for its progress before giving up if there is none."""


class LocalFilePurge:
    """Deletes from the local file, if it belongs to the location. A running monitor does the work, or else this process.

    A gateway's file has several locations; there a running gateway does it.
    """

    def __init__(self, config: Config, location: str | None, clock: Clock) -> None:
        self._path: Path = config.local_database
        channels = config.notifications
        self._channels = route_of(channels, config.active_sites), [channel.label for channel in channels]
        self._clock = clock
        self._never = threading.Event()
        self._location = location
        self._is_shared = self._path.exists() and self._asks_reader(FileReader.is_shared)
        self.is_concerned = self._path.exists() and (self._is_shared or location in (None, config.location))

    def _asks_reader(self, question: Callable[[FileReader], Answer]) -> Answer:
        with closing(FileReader(self._path)) as reader:
            return question(reader)

    def has_delivered(self) -> bool:
        """Has anything ever been delivered from this file to a database?"""
        return self._path.exists() and self._asks_reader(lambda reader: reader.delivered().delivery > 0)

    def preview(self, request: Request) -> Preview:
        if not self.is_concerned:
            return Preview()
        location = self._location if self._is_shared else None
        return self._asks_reader(lambda reader: reader.preview(request, location))

    def delete(self, request: Request, backend: "Backend | None", shown: Progress, checks: int, *, deferred: bool) -> None:
        """Write the request for about so many checks into the file, and wait until it is done there and in the database.

        `backend` is None if there is no database, or if it is unreachable and its part is `deferred`.
        """
        if self._is_shared and self._delete_at_locations(request, shown):
            return
        with opened_briefly(self._path) as connection, transaction(connection):
            number = purge.ask(connection, request)
        seen, polls_left = None, MOST_IDLE_POLLS
        while (found := self._find(number)) is not None:
            if found.is_done and backend is None:
                if not deferred:
                    self._acknowledge(found)
                return
            if not self._work(backend, shown, number, checks):
                shown.tell(f"the running monitor deletes from {self._path.name}", share_text(found.reached, checks))
                self._clock.wait(self._never, POLL_S)
            polls_left = polls_left - 1 if found == seen else MOST_IDLE_POLLS
            seen = found
            if not polls_left:
                left = "the running monitor has not finished this yet; it will go on, also after a restart"
                raise StoreUnavailable(f"{self._path}: {left}")

    def _delete_at_locations(self, request: Request, shown: Progress) -> bool:
        """Delete from a gateway's file. Returns False if a running gateway does it, which does it at all locations."""
        if not writer_is_alive(self._path):
            with closing(SharedFile(self._path)) as file:
                for done, _ in enumerate(file.purge(request, self._location), start=1):
                    shown.tell(f"deleting from {self._path.name}", step_text(done))
            return True
        if self._location is not None:
            raise StoreUnavailable(f"{self._path}: the running gateway purges all locations: stop it, or omit --location")
        return False

    def _acknowledge(self, request: Request) -> None:
        """Mark the request as done, because there is no database to delete from."""
        with opened_briefly(self._path) as connection, transaction(connection):
            purge.finish(connection, request.deletion())

    def _find(self, number: int) -> Request | None:
        with opened_briefly(self._path) as connection:
            return purge.find(connection, "id = ?", number)

    def _work(self, backend: "Backend | None", shown: Progress, number: int, checks: int) -> bool:
        """Do the work here. Returns False if a running monitor writes the file and does it."""
        if writer_is_alive(self._path):
            return False
        try:
            store = LocalStore(self._path)
        except StoreError:
            raise
        except MonitoringError:  # a monitor has just started
            return False
        with closing(store):
            store.set_route(*self._channels, self._clock.now_ms())
            while store.maintain(self._clock.now_ms()):
                shown.tell(f"deleting from {self._path.name}", share_text(_reached(store, number), checks))
            if backend is not None:
                _finish(store, backend, self._clock.now_ms(), shown)
        return True


def _reached(store: LocalStore, number: int) -> int:
    with store.readers.snapshot() as connection:
        found = purge.find(connection, "id = ?", number)
    return found.reached if found else 0


def share_text(reached: int, checks: int) -> str:
    """How much of a deletion is done: "41 % of 1,200,000 checks". After the checks come summaries, alerts and the outbox."""
    if not checks:
        return f"{reached:,} rows"
    return f"{100 * reached // checks} % of {checks:,} checks" if reached < checks else "summaries and alerts"


def _finish(store: LocalStore, backend: "Backend", now_ms: int, shown: Progress) -> None:
    """Delete the same from the database. Raises `StoreUnavailable` if that does not finish."""
    upkeep = monitor_upkeep(store, backend, is_ours=True)
    done = 0
    while upkeep.step(now_ms):
        done += 1
        shown.tell(f"deleting from {backend.name}", step_text(done))
    if store.next_deletion() is not None:
        raise StoreUnavailable(f"{backend.name} has not deleted everything; the monitor does the rest at its next start")


def step_text(number: int) -> str:
    return f"step {number:,}"
