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
from monitoring.storage.sqlite.file.lock import FileLock, NameLock, identity_of, lock_path
from monitoring.storage.sqlite.file.open_file import Problem
from monitoring.storage.sqlite.file_store import FileStore
from monitoring.units import HOUR_MS

LATE_MS = 120_000
"""A check may be stored so long after its time, because it waited for an answer."""

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

    `home` is the name where the file belongs. While the store writes another file, `NAME.lock` of the home names it for
    readers, and the guard moves back as soon as it can.
    """

    def __init__(self, store: FileStore, home: Path, home_lock: FileLock | NameLock | None = None) -> None:
        """`home_lock` is a lock on the file at home while another one is written, or on its name alone."""
        self._store = store
        self._home = home
        self._home_lock = home_lock if isinstance(home_lock, FileLock) else None
        lock = self._home_lock or (store.opened.lock if store.path == home else None)
        self._name = NameLock(home, lock.name) if lock else home_lock if isinstance(home_lock, NameLock) else None
        if home_lock and self._name:
            self._name.tell(store.path)
        self._began_ms: int | None = None
        self._left_alone = False
        self._is_damaged = False
        self._followed: Path | None = None
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
        return self._followed or (self._path if self._path != self._home else None)

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
        self.is_saving = True
        try:
            self._put_right(problem)
            self._said = None
        except (MonitoringError, sqlite3.Error, OSError) as error:
            self._retry_ms = now_ms + RETRY_MS
            self._say_once(problem, error)
        finally:
            self._keep_name()
            self._store.close_former()
            self.is_saving = False

    def close(self) -> None:
        """Free the name for another monitor."""
        if self._name:
            self._name.release(forget=self._name.stands_in)
        if self._home_lock:
            self._home_lock.release()
        self._name = self._home_lock = None

    @property
    def _path(self) -> Path:
        return self._store.path

    def _keep_name(self) -> None:
        """Take the lock beside the file anew if somebody deleted it, and note there which file is written."""
        if self._name is None:
            return
        if not self._name.is_there():
            with suppress(OSError, MonitoringError):  # the next look tries again
                name = NameLock(self._home, stands_in=self._name.stands_in)
                self._name.release()
                self._name = name
        self._name.tell(None if self._path == self._home else self._path)

    def _put_right(self, problem: Problem | None) -> None:
        if problem is None:
            if self._followed:
                self._followed = None
                self._store.read_from(self._path)
                self._store.say(f"{self._path} is in its directory again")
            else:
                self._go_home()
        elif problem is Problem.MISSING:
            self._bring_back()
        elif problem is Problem.REPLACED:
            self._evade()
        elif problem is Problem.OVERWRITTEN:
            self._leave_overwritten()
        elif problem is Problem.LOGLESS:
            self._store.begin_another_log()
            self._store.say(
                f"{self._path}: its write-ahead log was deleted or left behind; nothing is lost, and another one was begun"
            )
        else:
            self._begin_anew_from_damaged()

    def _say_once(self, problem: Problem | None, error: Exception) -> None:
        """Say why something cannot be repaired, at first and when the reason changes."""
        text = getattr(error, "strerror", None) or str(error)
        if problem is None:
            if isinstance(error, StoreError):  # the start has said so
                return
            sentence = f"{text}; checks are still kept in {self._path}"
        else:
            sentence = f"{self._path} was {problem.value}, and what it held cannot be saved yet: {text}"
        if sentence != self._said:
            self._store.say(sentence)
        self._said = sentence

    def _bring_back(self) -> None:
        """The file was deleted or moved: copy it back under its name, unless its directory was renamed."""
        path, store = self._path, self._store
        folder = rescue.real(path).parent
        if not folder.is_dir():
            if name := store.opened.moved_to():
                if name != self._followed:
                    store.read_from(name)
                    self._followed = name
                    store.say(f"{path}: its directory is now {name.parent}; checks go on into {name}")
                return
            folder.mkdir(parents=True)
        store.opened.drop_logs()
        was_damaged = self._is_damaged
        kept, self._followed = self._move(path), None
        if was_damaged:
            store.say(f"{path}: a new file was begun, with {kept.value}")
        elif kept is Kept.ALL:
            store.say(f"{path} was deleted or moved away; it is back under its name with {kept.value}")
        else:
            store.say(f"{path} was deleted, with no room for a copy; a new file has {kept.value}")

    def _evade(self) -> None:
        """Somebody else's file has the name: leave it alone, and copy ours under another name."""
        path, name = self._path, rescue.free_name(self._store.opened.real, "saved", self._now_ms)
        self._store.opened.drop_logs()
        kept = self._move(name)
        self._left_alone, self._followed = True, None
        self._store.say(
            f"{path} was replaced by another file, which is left alone; checks go on in {name}, with {kept.value}"
        )

    def _leave_overwritten(self) -> None:
        """Somebody has put other content into the file: leave it there, and save what SQLite has in memory and log.

        If it is a file of ours, say a backup, the next look moves back in. What only the file had is gone.
        """
        path, name = self._path, rescue.free_name(self._store.opened.real, "saved", self._now_ms)
        self._left_alone = self._store.opened.is_foreign()
        kept = self._begin_anew(name, self._undelivered_ms(), self._store.remembered_results)
        self._retry_ms = self._now_ms + RETRY_MS
        self._store.say(f"{path} was overwritten with another file; checks go on in {name}, with {kept.value}")

    def _begin_anew_from_damaged(self) -> None:
        if self._now_ms < self._set_aside_ms + ASIDE_MS:
            raise StoreUnavailable("so is the file before it: the disk may be failing")
        path, reason = self._path, self._store.damage or f"{self._path}: its beginning is not that of a database"
        aside = rescue.set_aside(path, "damaged", self._now_ms)
        self._set_aside_ms, self._is_damaged = self._now_ms, True
        self._store.read_from(aside)
        kept = self._begin_anew(path, HOUR_MS)
        self._store.say(f"{reason}; it is now {aside.name}, and a new file was begun, with {kept.value}")

    def _undelivered_ms(self) -> int:
        """The age of the oldest check that must not be lost: of the past hour, and older if no database has it yet."""
        with suppress(StoreError):
            oldest_ms = self._store.pending().oldest_ms
            return HOUR_MS if oldest_ms is None else max(HOUR_MS, self._now_ms - oldest_ms + LATE_MS)
        return HOUR_MS

    # Changing to another file

    def _move(self, path: Path) -> Kept:
        """Change to a copy, or if that is impossible to a new file with what must not be lost."""
        if not self._is_damaged and self._copy_to(path):
            return Kept.ALL
        return self._begin_anew(path, self._undelivered_ms())

    def _copy_to(self, path: Path) -> bool:
        """Change to a copy of the open file. False if there is no room for it or the file cannot be read."""
        with self._store.exclusively() as connection:
            if not rescue.has_room(connection, rescue.real(path).parent):
                return False
            try:
                copy = self._store.copy(path, self._name, self._between)
            except FileExistsError:
                raise
            except (sqlite3.Error, OSError, StoreDamaged):
                return False
            self._store.become(copy, is_copy=True)
        return True

    def _begin_anew(self, path: Path, back_ms: int, results: rescue.Results | None = None) -> Kept:
        """Change to a new file with the newest alerts and the checks of the past `back_ms`."""
        lock = FileLock(path, self._name)
        try:
            sibling = self._store.open_sibling(path, lock)
        except BaseException:
            if not lock.version()[0]:
                rescue.remove(rescue.real(path))  # else the next look takes it for somebody else's
            lock.release()
            raise
        return self._change_to(sibling, self._now_ms - back_ms, results or self._store.results)

    def _change_to(self, sibling: FileStore, from_ms: int, results: rescue.Results, *, all_or_nothing: bool = False) -> Kept:
        """Change to the file of `sibling` once it has the newest alerts and the checks since `from_ms`.

        `all_or_nothing`: if some of these cannot be carried over, raise `StoreUnavailable` and change nothing.
        """
        now_ms = self._now_ms
        self._store.echo = []
        try:
            sibling.append((), self._store.newest_alerts(), now_ms)
            window = Window(from_ms, now_ms + 1)
            is_whole = rescue.carry_over(results, lambda some: sibling.append(some, (), now_ms), window, self._between)
            if all_or_nothing and not is_whole:
                raise StoreUnavailable(f"{sibling.path}: not everything could be written")
            with self._store.exclusively():
                for checks, alerts in self._store.echo:
                    sibling.append(checks, alerts, now_ms)
                self._store.become(sibling.detach(), is_copy=False)
        finally:
            sibling.close()
            self._store.echo = None
        self._is_damaged = False
        return Kept.NEWEST if is_whole else Kept.PART

    def _go_home(self) -> None:
        """The file is all right, but does not belong here: move home if that is possible now."""
        self._retry_ms = self._now_ms + RETRY_MS
        before = self._path
        if not self._left_alone:
            self._move_in()
        elif identity_of(self._home) is not None or not self._copy_to(self._home):
            return
        self._left_alone = False
        if self._name is None or self._name.stands_in:
            stand_in, self._name = self._name, NameLock(self._home, self._store.opened.lock.name)
            if stand_in:
                stand_in.release(forget=True)
        rescue.remove(before)
        lock_path(before).unlink(missing_ok=True)
        with suppress(OSError):  # only a temporary directory of its own is empty now
            before.parent.rmdir()
        self._store.say(f"{self._home} can be written again, and has everything that was measured meanwhile")

    def _move_in(self) -> None:
        lock, self._home_lock = self._home_lock or FileLock(self._home, self._name), None
        try:
            sibling = self._store.open_sibling(self._home, lock)
        except StoreDamaged as error:
            self._store.say(f"{error}; it is now {rescue.set_aside(self._home, 'damaged', self._now_ms).name}")
            lock.release()
            raise
        except StoreError:
            self._home_lock = lock
            raise
        except BaseException:
            lock.release(forget=True)
            raise
        self._change_to(sibling, self._began_ms or 0, self._store.results, all_or_nothing=True)


class GuardedStore(FileStore):
    """A store that a guard watches."""

    def __init__(
        self,
        path: Path,
        lock: FileLock | None = None,
        patience_s: float = BUSY_TIMEOUT_S,
        home: Path | None = None,
        home_lock: FileLock | NameLock | None = None,
    ) -> None:
        """As `FileStore`; `home` and `home_lock` as of `FileGuard`."""
        super().__init__(path, lock, patience_s)
        self.guard = FileGuard(self, home or path, home_lock)

    def close(self) -> None:
        self.guard.close()
        super().close()
