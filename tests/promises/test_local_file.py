"""The local file under a running monitor: whatever happens to its name, everything measured is there in the end."""

import random
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from monitoring.models import AlertType, Cause, CheckResult
from monitoring.storage.sqlite.store import LocalStore
from tests.support.local_files import NOTICED_S, assert_sound, wait_for_words
from tests.support.monitor import (
    Monitor,
    as_printed,
    stored_alerts,
    stored_checks,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.processes import Running
from tests.support.target import Target, assert_holds_all_asked, now_ms

pytestmark = pytest.mark.promise

LOGS = ("-wal", "-shm")


@pytest.fixture
def config(tmp_path: Path, target: Target) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return write_config(tmp_path, [target.url("/")], interval_s=0.2, localDatabase=str(folder / "config.db"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "config.db"


def delete(file: Path) -> None:
    file.unlink()


def delete_all(file: Path) -> None:
    for name in file.parent.glob("config.db*"):
        name.unlink()


def move_away(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


def delete_directory(file: Path) -> None:
    shutil.rmtree(file.parent)


def delete_logs(file: Path) -> None:
    for suffix in LOGS:
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def delete_wal(file: Path) -> None:
    file.with_name(file.name + "-wal").unlink()


def rename_directory(file: Path) -> None:
    file.parent.rename(file.parent.with_name("renamed"))


def rename_back(file: Path) -> None:
    file.parent.with_name("renamed").rename(file.parent)


def put_another_file(file: Path) -> None:
    other = file.with_name("notes.txt")
    other.write_text("notes")
    other.replace(file)


def take_it_away(file: Path) -> None:
    assert file.read_text() == "notes"
    file.unlink()


def delete_after_a_while(file: Path) -> None:
    """Between what is in the file and what is in its log alone there is a difference."""
    wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
    delete_all(file)


@pytest.mark.parametrize("lose", [delete, delete_all, delete_after_a_while, move_away, delete_directory])
def test_a_file_that_is_deleted_is_back_with_everything_that_was_measured(
    config: Path, file: Path, target: Target, lose: Callable[[Path], None]
) -> None:
    with Monitor(config, "--silent") as monitor:
        target.go_down("/")
        wait_for_checks(file, more_than=3)
        wait_for(lambda: stored_alerts(file), "an alert in the file")
        lose(file)
        wait_for_words(monitor, "is back under its name")
        wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
        assert monitor.terminate() == 0
    assert len(monitor.errors) == 1
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)
    assert [alert.type for alert in stored_alerts(file)] == [AlertType.ALERT]
    assert not [name for name in file.parent.iterdir() if "saving" in name.name]


def test_a_file_that_is_deleted_just_before_the_end_is_back_after_it(config: Path, file: Path, target: Target) -> None:
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file, more_than=3)
        delete_all(file)
        assert monitor.terminate() == 0
    assert len(monitor.errors) == 1
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)


@contextmanager
def another_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A file of another program, in use."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE theirs (value TEXT)")
    connection.execute("INSERT INTO theirs VALUES ('precious')")
    yield connection
    connection.close()


@pytest.mark.parametrize("with_logs", [False, True])
def test_a_file_that_takes_the_place_is_left_alone_and_checks_go_on_beside_it(
    config: Path, file: Path, tmp_path: Path, target: Target, *, with_logs: bool
) -> None:
    """Also while its own program writes it, and whether or not our logs still lie beside it."""
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file, more_than=3)
        theirs = tmp_path / "data" / "theirs.db"
        with another_database(theirs) as connection:
            for suffix in LOGS if with_logs else ():
                theirs.with_name(theirs.name + suffix).replace(file.with_name(file.name + suffix))
            theirs.replace(file)
            line = wait_for_words(monitor, "was replaced by another file, which is left alone")
            saved = Path(line.split("checks go on in ")[1].split(",")[0])
            wait_for_checks(saved, more_than=len(stored_checks(saved)) + 3)
            connection.execute("INSERT INTO theirs VALUES ('more')")
        assert monitor.terminate() == 0
    assert len(monitor.errors) == 1
    with closing(sqlite3.connect(file)) as reading:
        assert reading.execute("SELECT value FROM theirs").fetchall() == [("precious",), ("more",)] if with_logs else True
        assert reading.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert_sound(saved)
    assert_holds_all_asked(stored_checks(saved), target)


def test_when_the_other_file_goes_ours_comes_back(config: Path, file: Path, target: Target) -> None:
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file, more_than=3)
        other = file.with_name("other.txt")
        other.write_text("notes")
        other.replace(file)
        wait_for_words(monitor, "was replaced by another file")
        assert file.read_text() == "notes"
        file.unlink()
        wait_for_words(monitor, "can be written again")
        wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
        assert monitor.terminate() == 0
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)
    assert [name.name for name in file.parent.glob("*saved*")] == []


def test_a_directory_that_is_renamed_keeps_its_file_and_takes_its_old_name_again(
    config: Path, file: Path, target: Target
) -> None:
    moved = file.parent.with_name("renamed")
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file, more_than=3)
        file.parent.rename(moved)
        wait_for_words(monitor, str(moved / file.name))
        wait_for_checks(moved / file.name, more_than=len(stored_checks(moved / file.name)) + 3)
        target.go_down("/")
        wait_for(lambda: stored_alerts(moved / file.name), "an alert")  # decided from the file, which is read
        moved.rename(file.parent)
        wait_for_words(monitor, "is in its directory again")
        wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
        assert monitor.terminate() == 0
    assert len(monitor.errors) == 2
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)


def test_the_end_names_the_file_in_its_renamed_directory(config: Path, file: Path) -> None:
    moved = file.parent.with_name("renamed")
    with Monitor(config, "--format", "text") as monitor:
        wait_for_checks(file, more_than=3)
        file.parent.rename(moved)
        wait_for_words(monitor, str(moved / file.name))
        assert monitor.terminate() == 0
    assert f"everything is stored in {moved / file.name}" in monitor.printed


@pytest.mark.parametrize("suffixes", [("-wal",), ("-shm",), LOGS])
def test_a_log_that_is_deleted_takes_nothing_with_it(
    config: Path, file: Path, target: Target, suffixes: tuple[str, ...]
) -> None:
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file, more_than=3)
        for suffix in suffixes:
            file.with_name(file.name + suffix).unlink()
        wait_for_words(monitor, "another one was begun")
        seen = len(stored_checks(file))
        wait_for_checks(file, more_than=seen + 3)
        monitor.kill()  # from now on everything is durable again
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target, runs=5)  # the last second may be missing


@pytest.mark.parametrize("damage", [b"", b"\0" * 8192, b"no database " * 1_000])
def test_a_file_that_is_damaged_is_set_aside_and_alerts_go_on(
    config: Path, file: Path, target: Target, damage: bytes
) -> None:
    """Nothing is announced twice, not by the next run either."""
    target.go_down("/")
    with Monitor(config) as monitor:
        monitor.wait_for_announcement("alert")
        with file.open("r+b") as opened:
            opened.truncate(0)
            opened.write(damage)
        line = wait_for_words(monitor, "a new file was begun, with the open alerts")
        assert list(file.parent.glob("config.db.damaged-20*"))
        wait_for_checks(file, more_than=3)
        monitor.kill()
    assert len(monitor.errors) == 1, line
    with Monitor(config) as second:
        wait_for_checks(file, more_than=len(stored_checks(file)) + 20)  # longer than the rule's window
        target.come_back("/")
        second.wait_for_announcement("recovery")
        assert second.terminate() == 0
    assert second.announced("alert") == []
    assert second.objects("alert")[0]["startDate"] == monitor.objects("alert")[0]["startDate"]
    assert_sound(file)


def test_where_there_is_no_room_for_a_copy_what_matters_is_saved(config: Path, file: Path, target: Target) -> None:
    """Old checks go: the new file has the open alert, and the checks of this run."""
    old_ms = now_ms() - 7_200_000
    with closing(LocalStore(file)) as store:
        bulky = [
            CheckResult("old", old_ms + number, 1, 0, 0, cause=Cause.ERROR, detail="x" * 2_000) for number in range(1_000)
        ]
        store.append(bulky, [], 0)
    target.go_down("/")
    with Monitor(config, "--silent") as monitor:
        wait_for(lambda: stored_alerts(file), "an alert in the file")
        resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        delete_all(file)
        wait_for_words(monitor, "with no room for a copy; a new file has the open alerts")
        wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
        resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert monitor.terminate() == 0
    assert_sound(file)
    assert_holds_all_asked([check for check in stored_checks(file) if check.host != "old"], target)
    assert [alert.type for alert in stored_alerts(file)] == [AlertType.ALERT]


def test_alerts_are_followed_over_every_change_of_the_file(config: Path, file: Path, target: Target) -> None:
    """`-a` shows each alert and each recovery once."""
    with Monitor(config, "--silent") as monitor, Running("-a", "-c", config, "--format", "json") as watcher:
        for number, mishap in enumerate((delete_all, delete_logs, move_away)):
            target.go_down("/")
            watcher.until(lambda watcher, number=number: len(watcher.announced("alert")) == number + 1)
            mishap(file)
            wait_for(lambda number=number: len(monitor.errors) == number + 1, "words about it")
            target.come_back("/")
            watcher.until(lambda watcher, number=number: len(watcher.announced("recovery")) == number + 1)
        assert monitor.terminate() == 0
        watcher.interrupt()
    assert as_printed(stored_alerts(file)) == watcher.objects("alert")


def test_a_backup_that_is_copied_over_the_file_is_noticed_and_gets_what_was_measured(
    config: Path, file: Path, target: Target
) -> None:
    """Alerts go on as well: the outage that has begun since the backup was made is not announced again."""
    backup = file.with_name("backup.db")
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file, more_than=3)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        target.go_down("/")
        wait_for(lambda: stored_alerts(file), "an alert in the file")
        shutil.copyfile(backup, file)
        wait_for_words(monitor, "was overwritten with another file")
        wait_for_words(monitor, "can be written again")
        wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
        assert monitor.terminate() == 0
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)
    assert [alert.type for alert in stored_alerts(file)] == [AlertType.ALERT]
    assert not list(file.parent.glob("*saved*"))


MISHAPS = (
    *((mishap, None) for mishap in (delete, delete_all, move_away, delete_directory, delete_logs, delete_wal)),
    (rename_directory, rename_back),
    (put_another_file, take_it_away),
)
"""What happens to the file, and how it is undone if it is not put right by itself."""


@pytest.mark.parametrize("seed", [1, 2])
def test_one_mishap_after_another_loses_nothing(config: Path, file: Path, target: Target, seed: int) -> None:
    choose = random.Random(seed)
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file, more_than=3)
        for mishap, undo in choose.sample(MISHAPS, len(MISHAPS)):
            told = len(monitor.errors)
            mishap(file)
            wait_for(lambda told=told: len(monitor.errors) > told, f"words about {mishap.__name__}", NOTICED_S)
            if undo:
                undo(file)
                wait_for(lambda told=told: len(monitor.errors) > told + 1, f"words after {mishap.__name__}", NOTICED_S)
            wait_for(lambda: file.exists() and not list(file.parent.glob("*.saved-*")), "the file in its place", NOTICED_S)
            wait_for_checks(file, more_than=len(stored_checks(file)) + choose.randrange(4))
            assert_sound(file)
        assert monitor.terminate() == 0
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)
