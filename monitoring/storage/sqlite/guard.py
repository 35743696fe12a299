"""Watches a file that is written, and saves what it holds when somebody deletes, replaces, overwrites or damages it."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path

from monitoring.errors import MonitoringError, StoreDamaged, StoreError, StoreUnavailable
from monitoring.models import Window
from monitoring.storage.sqlite.file import rescue
from monitoring.storage.sqlite.file.connection import BUSY_TIMEOUT_S
from monitoring.storage.sqlite.file.lock import NameLock, identity_of
from monitoring.storage.sqlite.file.open_file import OpenFile, Problem
from monitoring.storage.sqlite.file_store import FileStore
from monitoring.units import HOUR_MS

LATE_MS = 120_000
"""A check may be stored so long after its time, because it waited for an answer."""

READERS_END_S = 10.0
"""How long a file that has to be opened again waits for questions under way."""

RETRY_MS = 2_000
ASIDE_MS = 60_000
"""Files are set aside at least this far apart: a disk that damages every file must not fill up with them."""


class Kept(Enum):
    """What the file that took another one's place has of it, in words."""

    ALL = "everything that it held"
    NEWEST = "the open alerts, the past hour and what was not delivered"
    PART = "the open alerts and the newest checks that could be read and had room"


class FileGuard:
    """Looks at the file twice a second, in the thread that writes.

    - Deleted: the file is still open, so it is copied back under its name.
    - Replaced: the other file is left alone, and ours is copied beside it, under another name.
    - Its directory was renamed: it is written on where it is now.
    - Overwritten: what somebody has put there stays. We go on in a new file, and move back if theirs is one of ours.
    - Its write-ahead log was deleted: another one is begun.
    - Damaged: it is set aside, and a new one begun.

    `home` is the name where the file belongs, and `name` the lock on it. While the store writes another file, that lock
    names it for readers, and the guard moves back as soon as it can.
    """

    def __init__(self, store: "GuardedStore", home: Path, name: NameLock) -> None:
        self._store = store
        self._home = home
        self.name = name
        if self.away:
            name.tell(self.away)
        self._began_ms: int | None = None
        """Everything that was measured in this run is younger."""
        self._left_alone = False
        """What has the name of the home is somebody else's: wait until the name is free."""
        self._set_aside_ms = -ASIDE_MS
        self._retry_ms = 0
        self._said: str | None = None
        self._now_ms = 0
        self._between: Callable[[], None] = lambda: None
        self.is_saving = False
        """The file is being saved: the monitor must not end yet."""

    @property
    def away(self) -> Path | None:
        """The file that is written, if the next start opens another one. Its directory may have been renamed."""
        path = self._store.readers.path
        return None if path == self._home else path

    def notices(self) -> list[str]:
        """What has happened since the last call, for people. May be called from any thread."""
        said = self._store.said
        return [said.popleft() for _ in range(len(said))]

    def look(self, now_ms: int, between: Callable[[], None]) -> None:
        """Repair what is wrong with the file. Meanwhile, call `between` now and then, which writes what has come."""
        self._now_ms, self._between = now_ms, between
        if self._began_ms is None:
            self._began_ms = now_ms - LATE_MS
        self._keep_name()
        problem = self._store.problem()
        is_well = problem is None and self.away is None
        if now_ms < self._retry_ms or is_well:
            return
        self.is_saving, self._retry_ms = True, now_ms + RETRY_MS
        try:
            if sentence := self._put_right(problem):
                self._store.say(sentence)
            self._said = None
            if self._store.path == self._home:
                self._retry_ms = 0
        except (MonitoringError, sqlite3.Error, OSError) as error:
            self._say_once(problem, error)
        finally:
            self._keep_name()
            self.is_saving = False

    def close(self) -> None:
        """Free the name for another monitor."""
        if self.name.stands_in:
            self.name.forget()
        self.name.release()

    def _keep_name(self) -> None:
        """Take the lock on the name anew if somebody deleted it or a stand-in will not do. Note there what is written."""
        if self.name.stands_in and not self.away:
            self.name.forget()
        if not self.name.is_there():
            with suppress(MonitoringError):  # the next look tries again
                name = NameLock(self._home)
                self.name.release()
                self.name = name
        self.name.tell(self.away)

    def _put_right(self, problem: Problem | None) -> str | None:
        """Returns what there is to say about it."""
        repairs = {
            None: self._go_home,
            Problem.MISSING: self._bring_back,
            Problem.REPLACED: self._evade,
            Problem.OVERWRITTEN: self._leave_overwritten,
            Problem.LOGLESS: self._begin_another_log,
            Problem.DAMAGED: self._begin_anew,
        }
        return repairs[problem]()

    def _say_once(self, problem: Problem | None, error: Exception) -> None:
        """Say why something cannot be repaired, at first and when the reason changes."""
        text = getattr(error, "strerror", None) or str(error)
        if problem is None:
            if isinstance(error, StoreError):  # the start has said so
                return
            sentence = f"{text}; checks are still kept in {self._store.path}"
        else:
            sentence = f"{self._store.path} was {problem.value}, and what it held cannot be saved yet: {text}"
        if sentence != self._said:
            self._store.say(sentence)
        self._said = sentence

    # One of these for each problem

    def _bring_back(self) -> str | None:
        """The file was deleted or moved: copy it back under its name, unless its directory was renamed."""
        store, path = self._store, self._store.path
        folder = rescue.real(path).parent
        if not folder.is_dir():
            if name := store.opened.moved_to():
                if name == store.readers.path:
                    return None
                store.read_from(name)
                return f"{path}: its directory is now {name.parent}; checks go on into {name}"
            folder.mkdir(parents=True)
        was_damaged = store.damage is not None
        kept = self._move(path)
        if was_damaged:
            return f"{path}: a new file was begun, with {kept.value}"
        if kept is Kept.ALL:
            return f"{path} was deleted or moved away; it is back under its name with {kept.value}"
        return f"{path} was deleted, with no room for a copy; a new file has {kept.value}"

    def _evade(self) -> str:
        """Somebody else's file has the name: leave it alone, and copy ours under another name."""
        path, name = self._store.path, self._name_for_saved()
        kept = self._move(name)
        self._left_alone = True
        return f"{path} was replaced by another file, which is left alone; checks go on in {name}, with {kept.value}"

    def _leave_overwritten(self) -> str:
        """Somebody has put other content into the file: leave it there, and save what SQLite has in memory and log.

        If it is a file of ours, say a backup, the next look moves back in. What only the file had is gone.
        """
        path, name = self._store.path, self._name_for_saved()
        self._left_alone = self._store.opened.is_foreign()
        kept = self._change_to(name)
        return f"{path} was overwritten with another file; checks go on in {name}, with {kept.value}"

    def _name_for_saved(self) -> Path:
        return rescue.free_name(self._store.opened.real, "saved", self._now_ms)

    def _begin_another_log(self) -> str:
        """Copy the content of the deleted write-ahead log into the file, and begin another log."""
        store = self._store
        with store.readers.all_closed(READERS_END_S), store.mutex:
            store.opened.begin_another_log()
        store.readers.warm()
        return f"{store.path}: its write-ahead log was deleted or left behind; nothing is lost, and another one was begun"

    def _begin_anew(self) -> str:
        """The file is damaged: set it aside."""
        if self._now_ms < self._set_aside_ms + ASIDE_MS:
            raise StoreUnavailable("so is the file before it: the disk may be failing")
        store, path = self._store, self._store.path
        reason = store.damage or f"{path}: its beginning is not that of a database"
        aside = rescue.set_aside(path, "damaged", self._now_ms)
        self._set_aside_ms, store.damage = self._now_ms, reason
        store.read_from(aside)
        kept = self._change_to(path)
        return f"{reason}; it is now {aside.name}, and a new file was begun, with {kept.value}"

    def _go_home(self) -> str | None:
        """The file is all right, but does not belong here: move home if that is possible now."""
        store, before = self._store, self._store.path
        if store.readers.path != before:
            store.read_from(before)
            return f"{before} is in its directory again"
        if not self._left_alone:
            self._move_in()
        elif identity_of(self._home) is not None or not self._copy_to(self._home):
            return None
        self._left_alone = False
        rescue.remove(before)
        with suppress(OSError):  # only a temporary directory of its own is empty now
            before.parent.rmdir()
        return f"{self._home} can be written again, and has everything that was measured meanwhile"

    def _move_in(self) -> None:
        """Change to the file at home, with everything that was measured meanwhile. A damaged one is set aside first."""
        try:
            self._change_to(self._home, is_return=True)
        except StoreDamaged as error:
            self._store.say(f"{error}; it is now {rescue.set_aside(self._home, 'damaged', self._now_ms).name}")
            raise

    # Changing to another file

    def _undelivered_since(self) -> int:
        """The time of the oldest check that must not be lost: of the past hour, and older if no database has it yet."""
        hour_ago_ms = self._now_ms - HOUR_MS
        with suppress(StoreError):
            oldest_ms = self._store.pending().oldest_ms
            return hour_ago_ms if oldest_ms is None else min(hour_ago_ms, oldest_ms - LATE_MS)
        return hour_ago_ms

    def _move(self, path: Path) -> Kept:
        """Change from a file that lost its name to a copy, or without one to a new file with what must not be lost."""
        self._store.opened.drop_logs()
        if self._store.damage is None and self._copy_to(path):
            return Kept.ALL
        return self._change_to(path)

    def _copy_to(self, path: Path) -> bool:
        """Change to a copy of the open file. False if there is no room for it or the file cannot be read."""
        store, real = self._store, rescue.real(path)
        with store.exclusively() as connection:
            if not rescue.has_room(connection, real.parent):
                return False
            try:
                rescue.copy(connection, real, store.mutex, self._between)
                copy = _open_copy(path)
            except FileExistsError:
                raise
            except (sqlite3.Error, OSError, StoreDamaged):
                return False
            former = store.become(copy, is_copy=True)
        former.close()
        return True

    def _change_to(self, path: Path, *, is_return: bool = False) -> Kept:
        """Change to another file, a new one or one of ours, once it has the newest alerts and checks.

        `is_return`: these are all that were measured in this run. If some of them cannot be carried over, raise
        `StoreUnavailable` and change nothing.
        """
        sibling = type(self._store)(path, 0, name=self.name)
        self._store.echo = []
        try:
            kept = self._fill(sibling, is_return=is_return)
            with self._store.mutex:
                for checks, alerts in self._store.echo:
                    sibling.append(checks, alerts, self._now_ms)
                former = self._store.become(sibling.opened, is_copy=False)
        except BaseException:
            FileStore.close(sibling)  # without its guard, which has our lock on the name
            raise
        finally:
            self._store.echo = None
        sibling.readers.close()
        former.close()
        return kept

    def _fill(self, sibling: FileStore, *, is_return: bool) -> Kept:
        store, now_ms = self._store, self._now_ms
        sibling.number_sites(store.sites)
        sibling.append((), store.newest_alerts(), now_ms)
        window = Window((self._began_ms or 0) if is_return else self._undelivered_since(), now_ms + 1)
        is_whole = rescue.carry_over(
            store.remembered_results, lambda some: sibling.append(some, (), now_ms), window, self._between
        )
        if is_return and not is_whole:
            raise StoreUnavailable(f"{sibling.path}: not everything could be written")
        return Kept.NEWEST if is_whole else Kept.PART


def _open_copy(path: Path) -> OpenFile:
    try:
        return OpenFile(path)
    except BaseException:
        rescue.remove(rescue.real(path))  # else the next look takes it for somebody else's
        raise


class GuardedStore(FileStore):
    """A store that a guard watches."""

    def __init__(
        self, path: Path, patience_s: float = BUSY_TIMEOUT_S, *, home: Path | None = None, name: NameLock | None = None
    ) -> None:
        """As `FileStore`. `home`: the name where the file belongs, if that is another one.

        `name`: a lock on the name of the home, which the caller has taken, and keeps if this raises.
        """
        lock = name or NameLock(home or path)
        try:
            super().__init__(path, patience_s, was_known=lock.was_known)
        except BaseException as error:
            if name is None:
                if not isinstance(error, StoreError):  # it is another program's
                    lock.forget()
                lock.release()
            raise
        self.guard = FileGuard(self, home or path, lock)

    def close(self) -> None:
        super().close()
        self.guard.close()
