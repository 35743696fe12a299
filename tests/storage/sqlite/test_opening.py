"""How a monitor's start deals with each state of the local file; the promises show the same on the whole monitor."""

import errno
import fcntl
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from monitoring.errors import MonitoringError, StoreUnavailable
from monitoring.storage.sqlite import opening
from monitoring.storage.sqlite.file.lock import NameLock, writer_is_alive, written_file
from monitoring.storage.sqlite.opening import Opening
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from tests.support.points import EVER, START_MS, alert, checks, recovery

NOW_MS = START_MS + 1_000_000


class Start:
    """What one start said and opened."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        self.store = Opening(path, self.said.append, NOW_MS).open()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.db"


@pytest.fixture
def written(path: Path) -> Path:
    """A file of the run before, which ended in an open outage."""
    with closing(LocalStore(path)) as store:
        store.append([*checks([1, 2]), *checks([999], "b")], [alert(3), alert(4, "b"), recovery(5, "b")], START_MS)
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def holder(written: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who holds the write lock of the file."""
    with closing(sqlite3.connect(written, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_a_file_with_which_nothing_is_wrong_is_opened_without_a_word(written: Path) -> None:
    start = Start(written)
    assert start.said == []
    assert start.store.path == written
    assert writer_is_alive(written)
    start.store.close()
    assert not writer_is_alive(written)


def test_while_somebody_holds_the_file_its_alerts_are_known_and_then_it_has_everything(
    written: Path, holder: sqlite3.Connection, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PATIENCE_S", 0.01)
    start = Start(written)
    waiting, kept = start.said
    assert re.fullmatch(rf"{written}: database is locked: another program holds it; waiting for up to \d+ s", waiting)
    assert kept == f"{written}: database is locked; checks are kept in {start.store.path} instead, until it can be written"
    assert start.store.path.is_relative_to(elsewhere)
    assert start.store.last_alerts() == {"a": alert(3), "b": recovery(5, "b")}
    assert start.store.last_time() == START_MS + 999_000, "times go on after what is in the file"
    with pytest.raises(MonitoringError, match="another monitor writes here already"):
        NameLock(written)
    start.store.append(checks([1_001]), [], NOW_MS)
    holder.execute("ROLLBACK")
    start.store.guard.look(NOW_MS + 2_000, lambda: None)
    assert start.store.path == written
    with closing(FileReader(written)) as reader:
        assert list(reader.results(EVER)) == [*checks([1, 2]), *checks([999], "b"), *checks([1_001])]
    assert not list(elsewhere.iterdir())
    start.store.close()


def test_its_alerts_are_known_also_where_nobody_else_may_even_read_it(
    written: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PATIENCE_S", 0.01)
    with closing(sqlite3.connect(written, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        start = Start(written)
        assert start.store.path.is_relative_to(elsewhere)
        assert start.store.last_alerts() == {"a": alert(3), "b": recovery(5, "b")}
        assert list(start.store.results(EVER)) == checks([999], "b")
    start.store.close()


def test_when_no_disk_takes_a_file_it_is_kept_in_memory(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(opening, "IN_MEMORY", str(memory))
    elsewhere.rmdir()
    start = Start(tmp_path / "nowhere" / "config.db")
    assert start.store.path.is_relative_to(memory)
    with pytest.raises(MonitoringError, match="another monitor writes here already"):
        Start(tmp_path / "nowhere" / "config.db")
    start.store.close()
    monkeypatch.setattr(opening, "IN_MEMORY", str(tmp_path / "nowhere"))
    with pytest.raises(StoreUnavailable, match=r"nowhere/config\.db: No such file or directory"):
        Start(tmp_path / "nowhere" / "config.db")


def test_a_file_system_that_has_no_locks_is_one_that_cannot_be_written(
    path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).parent == path.parent:
            raise OSError(errno.ENOLCK, "No locks available")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    start = Start(path)
    assert start.store.path.is_relative_to(elsewhere)
    assert start.said[0].startswith(f"{path}: No locks available; checks are kept in")
    with pytest.raises(MonitoringError, match="another monitor writes here already"):
        Start(path)
    start.store.close()


def test_a_damaged_file_is_set_aside_and_the_new_one_knows_its_alerts(written: Path) -> None:
    with closing(sqlite3.connect(written)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'outbox'").fetchone()[0]
    with written.open("r+b") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xff" * 4096)
    start = Start(written)
    (line,) = start.said
    (aside,) = written.parent.glob("config.db.damaged-2026-01-01T00-16")
    assert line.endswith(f"it is now {aside.name}, and a new file was begun, with its open alerts")
    assert start.store.last_alerts() == {"a": alert(3), "b": recovery(5, "b")}
    assert writer_is_alive(written)
    start.store.close()


def test_what_is_no_file_is_not_waited_for(path: Path, elsewhere: Path) -> None:
    """A named pipe is refused, as is another program's file; where a directory is, nothing can be written yet."""
    os.mkfifo(path)
    with pytest.raises(MonitoringError, match="not a file of this program"):
        Start(path)
    with closing(FileReader(path)) as reader, pytest.raises(StoreUnavailable, match="not a file"):
        reader.last_time()
    path.unlink()
    path.mkdir()
    start = Start(path)
    assert start.store.path.is_relative_to(elsewhere)
    assert "Is a directory" in start.said[0]
    path.rmdir()
    start.store.append(checks([999]), [], NOW_MS)
    start.store.guard.look(NOW_MS, lambda: None)
    assert start.store.path == path
    assert list(start.store.results(EVER)) == checks([999])
    start.store.close()


def test_a_link_that_leads_nowhere_yet_is_followed(path: Path) -> None:
    (path.parent / "folder").mkdir()
    path.symlink_to(path.parent / "folder" / "real.db")
    Start(path).store.close()
    assert path.is_symlink()
    assert (path.parent / "folder" / "real.db").stat().st_size > 0


UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
"""Before a command: root may write no more than others do then."""

READ_ALERTS = """
import sys
from pathlib import Path
from monitoring.storage.sqlite.reader import FileReader
reader = FileReader(Path(sys.argv[1]))
print(len(reader.last_alerts()), flush=True)
sys.stdin.readline()
print(len(reader.last_alerts()), flush=True)
"""


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
@pytest.mark.parametrize("is_written", [False, True])
def test_a_file_is_read_where_nothing_may_be_written(written: Path, *, is_written: bool) -> None:
    """Whether or not a monitor that may write there is running."""
    with ExitStack() as stack:
        store = stack.enter_context(closing(LocalStore(written))) if is_written else None
        written.parent.chmod(0o500)
        stack.callback(written.parent.chmod, 0o700)
        command = [*(UNPRIVILEGED if os.geteuid() == 0 else ()), sys.executable, "-c", READ_ALERTS, str(written)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout
            assert reader.stdout.readline() == "2\n"
            if store:
                store.append([], [alert(9, "c")], NOW_MS)
            assert reader.communicate("\n")[0] == ("3\n" if store else "2\n")


START = """
import sys
from pathlib import Path
from monitoring.storage.sqlite.opening import Opening
Opening(Path(sys.argv[1]), print, 0).open().close()
"""


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may enter every directory")
def test_a_directory_that_may_not_even_be_entered_is_one_where_nothing_can_be_written(
    written: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    written.parent.chmod(0)
    command = [*(UNPRIVILEGED if os.geteuid() == 0 else ()), sys.executable, "-c", START, str(written)]
    environ = os.environ | {"TMPDIR": str(tmp_path_factory.mktemp("temporary"))}
    start = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    written.parent.chmod(0o700)
    assert start.stderr == ""
    assert start.stdout.startswith(f"{written}: Permission denied; checks are kept in {environ['TMPDIR']}")


def test_a_file_that_is_nobodys_is_refused_and_nothing_is_left_beside_it(path: Path) -> None:
    path.write_text("notes")
    for _ in range(2):
        with pytest.raises(MonitoringError, match="not a file of this program"):
            Start(path)
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "notes"


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_second_monitor_is_refused_where_the_first_cannot_write_its_file_either(
    path: Path, elsewhere: Path, what: str
) -> None:
    """`NAME.lock` cannot be made in a directory that is not there; a directory of the file's name leaves it possible."""
    blocked = path.parent / "gone" / "config.db" if what == "folder" else path
    if what == "file":
        blocked.mkdir()
    first = Start(blocked)
    assert first.store.path.is_relative_to(elsewhere)
    for _ in range(2):
        with pytest.raises(MonitoringError, match=rf"another monitor writes here already \(process {os.getpid()}\)"):
            Start(blocked)
    assert writer_is_alive(blocked)
    assert written_file(blocked) == first.store.path
    if what == "folder":
        blocked.parent.mkdir()
        with pytest.raises(MonitoringError, match=rf"another monitor writes here already \(process {os.getpid()}\)"):
            Start(blocked)  # which could be written now
    else:
        blocked.rmdir()
    first.store.guard.look(NOW_MS, lambda: None)
    assert first.store.path == blocked
    first.store.close()
    Start(blocked).store.close()
    assert not list(elsewhere.iterdir())
