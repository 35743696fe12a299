"""Sees to it that what a monitor writes lies under the name where it is looked for, whatever happens to the file."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from monitoring.errors import MonitoringError, StoreDamaged, StoreError, StoreUnavailable
from monitoring.models import Alert, CheckResult, Window
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
    """What is guarded: a store that may go on in another file."""

    file: DatabaseFile
    guard: "FileGuard"
    echo: list[tuple[Sequence[CheckResult], Sequence[Alert]]] | None
    """What `append` has stored since this became a list."""

    def results(self, window: Window) -> Iterable[CheckResult]:
        """Raises `StoreError`."""

    def remembered_results(self, window: Window) -> Iterable[CheckResult]:
        """The same, also when somebody has overwritten the file: from SQLite's memory and its log."""

    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None: ...

    def newest_alerts(self) -> Sequence[Alert]:
        """The newest state change of each site, known without reading the file."""

    def oldest_pending_ms(self) -> int | None:
        """Since when the oldest of what waits for delivery does; None: nothing does. Raises `StoreError`."""

    def open_sibling(self, path: Path, lock: FileLock, patience_s: float) -> Self:
        """A store of the same kind on another file. Raises as `OpenFile` does."""

    def become(self, file: OpenFile, *, is_copy: bool) -> None:
        """Go on with this file, which holds the same or something else; `file.exclusively` must be held."""

    def close(self) -> None: ...


class FileGuard:
    """Looks at the file twice a second, from the thread that writes.

    A file that was deleted is still open, and is copied back under its name. Where another file has that name, this one
    is left alone and ours is copied beside it. A damaged file is set aside and a new one begun. What somebody has put
    into our file stays there, and what we know is added to it. A store that could not be opened where it belongs (`home`)
    works elsewhere, and moves in as soon as it can. Readers find in `NAME.lock` of the home where that is.
    """

    def __init__(self, store: Store, home: Path, home_lock: FileLock | None = None) -> None:
        """`home_lock` is held on the file at home while that cannot be written."""
        self._store = store
        self._home = home
        self._home_lock = home_lock
        lock = home_lock or (store.file.opened.lock if store.file.path == home else None)
        self._name = NameLock(home, lock.name) if lock else None
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
        self.is_saving = False
        """Is something under way that must not be interrupted?"""

    def notices(self) -> list[str]:
        """What is to be told since the last call; from any thread."""
        return [self._notices.popleft() for _ in range(len(self._notices))]

    def look(self, now_ms: int, between: Callable[[], None]) -> None:
        """Put right what is wrong with the file. `between` is called in between, and writes what has come meanwhile."""
        if self._began_ms is None:
            self._began_ms = now_ms - LATE_MS
        self._keep_name()
        problem = self._store.file.problem()
        is_away = self._followed is not None or self._path != self._home
        if now_ms < self._retry_ms or (problem is None and not is_away):
            return
        self.is_saving = True
        try:
            self._put_right(problem, now_ms, between)
        except (MonitoringError, sqlite3.Error, OSError) as error:
            self._retry_ms = now_ms + RETRY_MS
            self._say_once(problem, error)
        finally:
            self._keep_name()
            self._store.file.close_former()
            self.is_saving = False

    def _keep_name(self) -> None:
        """Make the lock beside the file anew if somebody deleted it; readers find there which file is written."""
        if self._name is None:
            return
        if not self._name.is_there():
            with suppress(OSError, MonitoringError):  # tried again at the next look
                name = NameLock(self._home)
                self._name.release()
                self._name = name
        self._name.tell(None if self._path == self._home else self._path)

    def close(self) -> None:
        """The name is free for another monitor."""
        if self._name:
            self._name.release()
        if self._home_lock:
            self._home_lock.release()
        self._name = self._home_lock = None

    def _put_right(self, problem: Problem | None, now_ms: int, between: Callable[[], None]) -> None:
        if problem is None and self._followed:
            self._return()
        elif problem is None:
            self._go_home(now_ms, between)
        elif problem is Problem.MISSING:
            self._bring_back(now_ms, between)
        elif problem is Problem.REPLACED:
            self._evade(now_ms, between)
        elif problem is Problem.OVERWRITTEN:
            self._leave_overwritten(now_ms, between)
        elif problem is Problem.LOGLESS:
            self._store.file.begin_another_log()
            self.say(f"{self._path}: its write-ahead log was deleted; nothing is lost, and another one was begun")
        else:
            self._begin_anew_from_damaged(now_ms, between)
        self._said = None

    @property
    def _path(self) -> Path:
        return self._store.file.path

    def say(self, text: str) -> None:
        """Something about the file that a person should know."""
        self._notices.append(text)

    def _say_once(self, problem: Problem | None, error: Exception) -> None:
        """What cannot be put right is told when it begins and when the reason changes."""
        text = getattr(error, "strerror", None) or str(error)
        if problem is None:
            if isinstance(error, StoreError):  # that it does not work was told at the start
                return
            sentence = f"{text}; checks are still kept in {self._path}"
        else:
            sentence = f"{self._path} was {problem.value}, and what it held cannot be saved yet: {text}"
        if sentence != self._said:
            self.say(sentence)
        self._said = sentence

    def _bring_back(self, now_ms: int, between: Callable[[], None]) -> None:
        """The file was deleted or moved: what is open goes back under its name."""
        folder = rescue.real(self._path).parent
        if not folder.is_dir():
            if name := self._store.file.opened.moved_to():
                self._follow(name)
                return
            folder.mkdir(parents=True)
        self._store.file.drop_logs()
        if self._is_damaged:
            self._begin_anew(self._path, now_ms, HOUR_MS, between)
            self.say(f"{self._path}: a new file was begun, with the open alerts")
        elif self._copy_to(self._path, between):
            self.say(f"{self._path} was deleted or moved away; it is back under its name with everything that it held")
        else:
            is_whole = self._begin_anew(self._path, now_ms, self._undelivered_ms(now_ms), between)
            kept = "the past hour and what was not delivered" if is_whole else "the newest checks that there was room for"
            self.say(f"{self._path} was deleted, with no room for a copy; a new file has the open alerts, {kept}")
        self._followed = None

    def _follow(self, name: Path) -> None:
        """Its directory bears another name: the file lies there whole, and goes on being written."""
        if name != self._followed:
            self._store.file.read_from(name)
            self._followed = name
            self.say(f"{self._path}: its directory is now {name.parent}; checks go on into {name}")

    def _return(self) -> None:
        self._followed = None
        self._store.file.read_from(self._path)
        self.say(f"{self._path} is in its directory again")

    def _evade(self, now_ms: int, between: Callable[[], None]) -> None:
        """Another file has the name: it is somebody's, so ours takes another name."""
        path, name = self._path, rescue.free_name(self._store.file.opened.real, "saved", now_ms)
        self._store.file.drop_logs()
        if not self._is_damaged and self._copy_to(name, between):
            kept = "with everything measured so far"
        else:
            self._begin_anew(name, now_ms, self._undelivered_ms(now_ms), between)
            kept = "with the open alerts and the newest checks, as there was no room for all"
        self._left_alone, self._followed = True, None
        self.say(f"{path} was replaced by another file, which is left alone; checks go on in {name}, {kept}")

    def _leave_overwritten(self, now_ms: int, between: Callable[[], None]) -> None:
        """Somebody has put another content into the file: it stays, and if it is ours we move in at the next look.

        What was in the file alone is gone. Its log and SQLite's memory still have the newest of it.
        """
        path, name = self._path, rescue.free_name(self._store.file.opened.real, "saved", now_ms)
        self._left_alone = self._store.file.opened.is_foreign()
        back_ms = self._undelivered_ms(now_ms)
        is_whole = self._begin_anew(name, now_ms, back_ms, between, self._store.remembered_results)
        self._retry_ms = now_ms + RETRY_MS
        kept = "what was measured in the past hour" if is_whole else "what could still be read of the past hour"
        self.say(f"{path} was overwritten with another file; checks go on in {name}, with the open alerts and {kept}")

    def _begin_anew_from_damaged(self, now_ms: int, between: Callable[[], None]) -> None:
        if now_ms < self._set_aside_ms + ASIDE_MS:
            raise StoreUnavailable("so is the file before it: the disk may be failing")
        path, reason = self._path, self._store.file.damage or f"{self._path}: its beginning is not that of a database"
        aside = rescue.set_aside(path, "damaged", now_ms)
        self._set_aside_ms, self._is_damaged = now_ms, True
        self._store.file.read_from(aside)
        self._begin_anew(path, now_ms, HOUR_MS, between)
        self.say(f"{reason}; it is now {aside.name}, and a new file was begun, with the open alerts")

    def _undelivered_ms(self, now_ms: int) -> int:
        """How far back everything goes that must not be lost: the past hour, and what no database has yet."""
        try:
            oldest_ms = self._store.oldest_pending_ms()
        except StoreError:
            oldest_ms = None
        return HOUR_MS if oldest_ms is None else max(HOUR_MS, now_ms - oldest_ms + LATE_MS)

    def _copy_to(self, path: Path, between: Callable[[], None]) -> bool:
        """Go on in a copy of the open file; False when there is no room for all of it, or it cannot be read."""
        with self._store.file.exclusively() as connection:
            if not rescue.has_room(connection, rescue.real(path).parent):
                return False
            try:
                copy = self._store.file.copy(path, self._name, between)
            except FileExistsError:
                raise
            except (sqlite3.Error, OSError, StoreDamaged):
                return False
            self._store.become(copy, is_copy=True)
        return True

    def _begin_anew(
        self, path: Path, now_ms: int, back_ms: int, between: Callable[[], None], results: rescue.Results | None = None
    ) -> bool:
        """Go on in a new file that has the open alerts and the newest checks; False when some had no room."""
        lock = FileLock(path, self._name)
        try:
            sibling = self._store.open_sibling(path, lock, 0)
        except BaseException:
            if not lock.version()[0]:
                rescue.remove(rescue.real(path))  # else it would be taken for somebody's
            lock.release()
            raise
        return self._change_to(sibling, Window(now_ms - back_ms, now_ms + 1), between, results or self._store.results)

    def _change_to(
        self,
        sibling: Store,
        window: Window,
        between: Callable[[], None],
        results: rescue.Results,
        *,
        all_or_nothing: bool = False,
    ) -> bool:
        """Go on in the file of `sibling` when it has the alerts that are known and the window's checks.

        False when some of them are missing there; `all_or_nothing`: then this raises `StoreUnavailable` and stays.
        """
        now_ms = window.until_ms
        self._store.echo = []
        try:
            if alerts := self._store.newest_alerts():
                sibling.append((), alerts, now_ms)
            is_whole = rescue.carry_over(results, lambda checks: sibling.append(checks, (), now_ms), window, between)
            if all_or_nothing:
                _demand(is_whole, sibling.file.path)
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

    def _go_home(self, now_ms: int, between: Callable[[], None]) -> None:
        """Nothing is wrong here, but the file belongs elsewhere: move in if that is possible now."""
        self._retry_ms = now_ms + RETRY_MS
        before = self._path
        if self._left_alone:
            if identity_of(self._home) is not None or not self._copy_to(self._home, between):
                return
            self._left_alone = False
        else:
            self._move_in(now_ms, between)
        if self._name is None:
            self._name = NameLock(self._home, self._store.file.opened.lock.name)
        rescue.remove(before)
        lock_path(before).unlink(missing_ok=True)
        with suppress(OSError):  # it is not empty where it is not a directory of its own
            before.parent.rmdir()
        self.say(f"{self._home} can be written again, and has everything that was measured meanwhile")

    def _move_in(self, now_ms: int, between: Callable[[], None]) -> None:
        lock, self._home_lock = self._home_lock or FileLock(self._home, self._name), None
        try:
            sibling = self._store.open_sibling(self._home, lock, 0)
        except StoreDamaged as error:
            self.say(f"{error}; it is now {rescue.set_aside(self._home, 'damaged', now_ms).name}")
            lock.release()
            raise
        except StoreError:
            self._home_lock = lock
            raise
        except BaseException:
            lock.release(forget=True)
            raise
        window = Window(self._began_ms or 0, now_ms + 1)
        self._change_to(sibling, window, between, self._store.results, all_or_nothing=True)


def _demand(is_whole: bool, path: Path) -> None:
    if not is_whole:
        raise StoreUnavailable(f"{path}: not everything could be written")
