"""Sees to it that what is written lies under the name where it is looked for, whatever happens to the file."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from monitoring.errors import MonitoringError, StoreDamaged, StoreError, StoreUnavailable
from monitoring.models import Alert, CheckResult, Window
from monitoring.storage.base import Pending
from monitoring.storage.sqlite import rescue
from monitoring.storage.sqlite.file import DatabaseFile, OpenFile, Problem
from monitoring.storage.sqlite.lock import FileLock, NameLock, identity_of, lock_path

HOUR_MS = 3_600_000

LATE_MS = 120_000
"""A check may be stored so long after its own time: it waited for an answer."""

RETRY_MS = 2_000
ASIDE_MS = 60_000
"""No file is set aside sooner than this after another one: a disk that damages every file must not fill up with them."""


class Store(Protocol):
    """What is guarded: see `GuardedStore`."""

    file: DatabaseFile
    guard: "FileGuard"
    echo: list[tuple[Sequence[CheckResult], Sequence[Alert]]] | None

    def results(self, window: Window) -> Iterable[CheckResult]: ...
    def remembered_results(self, window: Window) -> Iterable[CheckResult]: ...
    def newest_alerts(self) -> Sequence[Alert]: ...
    def pending(self) -> Pending: ...
    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None: ...
    def open_sibling(self, path: Path, lock: FileLock) -> Self: ...
    def become(self, file: OpenFile, *, is_copy: bool) -> None: ...


class FileGuard:
    """Looks at the file twice a second, from the thread that writes.

    A file that was deleted is still open, and is copied back under its name. Where another file has that name, this one
    is left alone and ours is copied beside it. A damaged file is set aside and a new one begun. What somebody has put
    into our file stays there, and what we know is added to it. A store that could not be opened where it belongs (`home`)
    works elsewhere, and moves in as soon as it can. Readers find in `NAME.lock` of the home where that is.
    """

    def __init__(self, store: Store, home: Path, home_lock: FileLock | NameLock | None = None) -> None:
        """`home_lock` is held on the file at home while that cannot be written, or on its name alone."""
        self._store = store
        self._home = home
        self._home_lock = home_lock if isinstance(home_lock, FileLock) else None
        lock = self._home_lock or (store.file.opened.lock if store.file.path == home else None)
        self._name = NameLock(home, lock.name) if lock else home_lock if isinstance(home_lock, NameLock) else None
        if home_lock and self._name:
            self._name.tell(store.file.path)
        self._began_ms: int | None = None
        self._left_alone = False
        self._is_damaged = False
        self._followed: Path | None = None
        self._set_aside_ms = -ASIDE_MS
        self._retry_ms = 0
        self._said: str | None = None
        self._notices: deque[str] = deque()
        self._now_ms = 0
        self._between: Callable[[], None] = lambda: None
        self.is_saving = False
        """Is something under way that must not be interrupted?"""

    def notices(self) -> list[str]:
        """What is to be said since the last call; from any thread."""
        return [self._notices.popleft() for _ in range(len(self._notices))]

    def say(self, text: str) -> None:
        """Something about the file that a person should know."""
        self._notices.append(text)

    def look(self, now_ms: int, between: Callable[[], None]) -> None:
        """Put right what is wrong with the file. `between` is called in between, and writes what has come meanwhile."""
        self._now_ms, self._between = now_ms, between
        if self._began_ms is None:
            self._began_ms = now_ms - LATE_MS
        self._keep_name()
        problem = self._store.file.problem()
        is_away = self._followed is not None or self._path != self._home
        if now_ms < self._retry_ms or (problem is None and not is_away):
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
            self._store.file.close_former()
            self.is_saving = False

    def close(self) -> None:
        """The name is free for another monitor."""
        if self._name:
            self._name.release(forget=self._name.stands_in)
        if self._home_lock:
            self._home_lock.release()
        self._name = self._home_lock = None

    @property
    def _path(self) -> Path:
        return self._store.file.path

    def _keep_name(self) -> None:
        """Make the lock beside the file anew if somebody deleted it; readers find there which file is written."""
        if self._name is None:
            return
        if not self._name.is_there():
            with suppress(OSError, MonitoringError):  # tried again at the next look
                name = NameLock(self._home, stands_in=self._name.stands_in)
                self._name.release()
                self._name = name
        self._name.tell(None if self._path == self._home else self._path)

    def _put_right(self, problem: Problem | None) -> None:
        if problem is None:
            if self._followed:
                self._followed = None
                self._store.file.read_from(self._path)
                self.say(f"{self._path} is in its directory again")
            else:
                self._go_home()
        elif problem is Problem.MISSING:
            self._bring_back()
        elif problem is Problem.REPLACED:
            self._evade()
        elif problem is Problem.OVERWRITTEN:
            self._leave_overwritten()
        elif problem is Problem.LOGLESS:
            self._store.file.begin_another_log()
            self.say(f"{self._path}: its write-ahead log was deleted; nothing is lost, and another one was begun")
        else:
            self._begin_anew_from_damaged()

    def _say_once(self, problem: Problem | None, error: Exception) -> None:
        """What cannot be put right is said when it begins and when the reason changes."""
        text = getattr(error, "strerror", None) or str(error)
        if problem is None:
            if isinstance(error, StoreError):  # that it does not work was said at the start
                return
            sentence = f"{text}; checks are still kept in {self._path}"
        else:
            sentence = f"{self._path} was {problem.value}, and what it held cannot be saved yet: {text}"
        if sentence != self._said:
            self.say(sentence)
        self._said = sentence

    def _bring_back(self) -> None:
        """The file was deleted or moved: what is open goes back under its name, unless its directory was renamed."""
        path, file = self._path, self._store.file
        folder = rescue.real(path).parent
        if not folder.is_dir():
            if name := file.opened.moved_to():
                if name != self._followed:  # it lies there whole, and goes on being written
                    file.read_from(name)
                    self._followed = name
                    self.say(f"{path}: its directory is now {name.parent}; checks go on into {name}")
                return
            folder.mkdir(parents=True)
        file.drop_logs()
        if self._is_damaged:
            self._begin_anew(path, HOUR_MS)
            self.say(f"{path}: a new file was begun, with the open alerts")
        elif self._copy_to(path):
            self.say(f"{path} was deleted or moved away; it is back under its name with everything that it held")
        else:
            is_whole = self._begin_anew(path, self._undelivered_ms())
            kept = "the past hour and what was not delivered" if is_whole else "the newest checks that there was room for"
            self.say(f"{path} was deleted, with no room for a copy; a new file has the open alerts, {kept}")
        self._followed = None

    def _evade(self) -> None:
        """Another file has the name: it is somebody's, so ours takes another name."""
        path, name = self._path, rescue.free_name(self._store.file.opened.real, "saved", self._now_ms)
        self._store.file.drop_logs()
        kept = "with everything measured so far"
        if self._is_damaged or not self._copy_to(name):
            self._begin_anew(name, self._undelivered_ms())
            kept = "with the open alerts and the newest checks, as there was no room for all"
        self._left_alone, self._followed = True, None
        self.say(f"{path} was replaced by another file, which is left alone; checks go on in {name}, {kept}")

    def _leave_overwritten(self) -> None:
        """Somebody has put another content into the file: it stays, and if it is ours we move in at the next look.

        What was in the file alone is gone. Its log and SQLite's memory still have the newest of it.
        """
        path, name = self._path, rescue.free_name(self._store.file.opened.real, "saved", self._now_ms)
        self._left_alone = self._store.file.opened.is_foreign()
        is_whole = self._begin_anew(name, self._undelivered_ms(), self._store.remembered_results)
        self._retry_ms = self._now_ms + RETRY_MS
        kept = "what was measured in the past hour" if is_whole else "what could still be read of the past hour"
        self.say(f"{path} was overwritten with another file; checks go on in {name}, with the open alerts and {kept}")

    def _begin_anew_from_damaged(self) -> None:
        if self._now_ms < self._set_aside_ms + ASIDE_MS:
            raise StoreUnavailable("so is the file before it: the disk may be failing")
        path, reason = self._path, self._store.file.damage or f"{self._path}: its beginning is not that of a database"
        aside = rescue.set_aside(path, "damaged", self._now_ms)
        self._set_aside_ms, self._is_damaged = self._now_ms, True
        self._store.file.read_from(aside)
        self._begin_anew(path, HOUR_MS)
        self.say(f"{reason}; it is now {aside.name}, and a new file was begun, with the open alerts")

    def _undelivered_ms(self) -> int:
        """How far back everything goes that must not be lost: the past hour, and what no database has yet."""
        with suppress(StoreError):
            oldest_ms = self._store.pending().oldest_ms
            return HOUR_MS if oldest_ms is None else max(HOUR_MS, self._now_ms - oldest_ms + LATE_MS)
        return HOUR_MS

    def _copy_to(self, path: Path) -> bool:
        """Go on in a copy of the open file; False when there is no room for all of it, or it cannot be read."""
        with self._store.file.exclusively() as connection:
            if not rescue.has_room(connection, rescue.real(path).parent):
                return False
            try:
                copy = self._store.file.copy(path, self._name, self._between)
            except FileExistsError:
                raise
            except (sqlite3.Error, OSError, StoreDamaged):
                return False
            self._store.become(copy, is_copy=True)
        return True

    def _begin_anew(self, path: Path, back_ms: int, results: rescue.Results | None = None) -> bool:
        """Go on in a new file that has the open alerts and the newest checks; False when some had no room."""
        lock = FileLock(path, self._name)
        try:
            sibling = self._store.open_sibling(path, lock)
        except BaseException:
            if not lock.version()[0]:
                rescue.remove(rescue.real(path))  # else it would be taken for somebody's
            lock.release()
            raise
        return self._change_to(sibling, self._now_ms - back_ms, results or self._store.results)

    def _change_to(self, sibling: Store, from_ms: int, results: rescue.Results, *, all_or_nothing: bool = False) -> bool:
        """Go on in the file of `sibling` when it has the alerts that are known and the checks from a moment on.

        False when some of them are missing there; `all_or_nothing`: then this raises `StoreUnavailable` and stays.
        """
        now_ms = self._now_ms
        self._store.echo = []
        try:
            sibling.append((), self._store.newest_alerts(), now_ms)
            window = Window(from_ms, now_ms + 1)
            is_whole = rescue.carry_over(results, lambda some: sibling.append(some, (), now_ms), window, self._between)
            if all_or_nothing and not is_whole:
                raise StoreUnavailable(f"{sibling.file.path}: not everything could be written")  # noqa: TRY301
            with self._store.file.exclusively():
                for checks, alerts in self._store.echo:
                    sibling.append(checks, alerts, now_ms)
                self._store.become(sibling.file.detach(), is_copy=False)
        except BaseException:
            sibling.file.close()
            raise
        finally:
            sibling.guard.close()
            self._store.echo = None
        self._is_damaged = False
        return is_whole

    def _go_home(self) -> None:
        """Nothing is wrong here, but the file belongs elsewhere: move in if that is possible now."""
        self._retry_ms = self._now_ms + RETRY_MS
        before = self._path
        if not self._left_alone:
            self._move_in()
        elif identity_of(self._home) is not None or not self._copy_to(self._home):
            return
        self._left_alone = False
        if self._name is None or self._name.stands_in:
            stand_in, self._name = self._name, NameLock(self._home, self._store.file.opened.lock.name)
            if stand_in:
                stand_in.release(forget=True)
        rescue.remove(before)
        lock_path(before).unlink(missing_ok=True)
        with suppress(OSError):  # it is not empty where it is not a directory of its own
            before.parent.rmdir()
        self.say(f"{self._home} can be written again, and has everything that was measured meanwhile")

    def _move_in(self) -> None:
        lock, self._home_lock = self._home_lock or FileLock(self._home, self._name), None
        try:
            sibling = self._store.open_sibling(self._home, lock)
        except StoreDamaged as error:
            self.say(f"{error}; it is now {rescue.set_aside(self._home, 'damaged', self._now_ms).name}")
            lock.release()
            raise
        except StoreError:
            self._home_lock = lock
            raise
        except BaseException:
            lock.release(forget=True)
            raise
        self._change_to(sibling, self._began_ms or 0, self._store.results, all_or_nothing=True)
