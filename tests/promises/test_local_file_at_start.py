"""A local file that cannot be used when the monitor starts: it does not decide the whole run; nothing is told twice."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from monitoring.models import AlertType
from monitoring.storage.sqlite.opening import PATIENCE_S
from tests.support.local_files import NOTICED_S, assert_sound, wait_for_words
from tests.support.monitor import (
    Monitor,
    as_printed,
    local_file,
    stored_alerts,
    stored_checks,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.target import Target, assert_holds_all_asked

pytestmark = pytest.mark.promise

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
"""
"""Another program that holds the write lock of a file until it is told to let go."""


@contextmanager
def held(file: Path, pragma: str = "SELECT 1") -> Iterator[Callable[[], None]]:
    """The file's write lock is another program's; calling what this gives lets go of it."""
    command = [sys.executable, "-c", HOLDER, str(file), pragma]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"

        def let_go() -> None:
            holder.communicate("\n")

        try:
            yield let_go
        finally:
            holder.kill()


@pytest.fixture
def config(tmp_path: Path, target: Target) -> Path:
    return write_config(tmp_path, [target.url("/")], interval_s=0.2)


@pytest.fixture
def file(config: Path) -> Path:
    return local_file(config)


def run_until_alert(config: Path, target: Target) -> Monitor:
    """A run that ends in an open outage."""
    target.go_down("/")
    with Monitor(config) as first:
        first.wait_for_announcement("alert")
        assert first.terminate() == 0
    return first


def assert_goes_on_after(first: Monitor, second: Monitor) -> None:
    """The second run told the recovery of the outage that the first one told of, and nothing else."""
    assert second.announced("alert") == []
    (recovery,) = second.announced("recovery")
    assert recovery["startDate"] == first.objects("alert")[0]["startDate"]


def test_a_file_that_another_program_holds_for_some_seconds_is_waited_for(config: Path, file: Path, target: Target) -> None:
    first = run_until_alert(config, target)
    with held(file) as let_go, Monitor(config) as second:
        wait_for_words(second, "waiting for up to 30 s")
        let_go()
        asked = len(target.asked("/"))
        wait_for(lambda: len(target.asked("/")) > asked + 20, "checks for longer than the rule's window")
        target.come_back("/")
        second.wait_for_announcement("recovery")
        assert second.terminate() == 0
    assert len(second.errors) == 1
    assert_goes_on_after(first, second)
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target, runs=2)


@pytest.mark.parametrize("pragma", ["SELECT 1", "PRAGMA locking_mode = EXCLUSIVE"])
def test_a_file_that_is_held_for_long_gets_everything_as_soon_as_it_is_free(
    config: Path, file: Path, target: Target, tmp_path: Path, pragma: str
) -> None:
    """Where it can be read meanwhile, the alert in it is not told again."""
    first = run_until_alert(config, target)
    with held(file, pragma) as let_go, Monitor(config, environ={"TMPDIR": str(tmp_path)}) as second:
        wait_for_words(second, "checks are kept in", PATIENCE_S + NOTICED_S)
        asked = len(target.asked("/"))
        wait_for(lambda: len(target.asked("/")) > asked + 20, "checks for longer than the rule's window")
        with Monitor(config) as third:
            assert third.wait() == 1, "the file stays ours while we wait for it"
        let_go()
        wait_for_words(second, "has everything that was measured meanwhile")
        target.come_back("/")
        second.wait_for_announcement("recovery")
        assert second.terminate() == 0
    if pragma == "SELECT 1":
        assert_goes_on_after(first, second)
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target, runs=2)
    assert not list(tmp_path.glob("monitoring-*")), "what lay elsewhere is gone"


class Ordinary(Monitor):
    """A monitor that may write only where the permissions say so, root's, too."""

    def __init__(self, config: Path, *, environ: Mapping[str, str]) -> None:
        super().__init__(config, environ=environ)
        if os.geteuid() == 0:
            self._command = ["setpriv", "--bounding-set=-dac_override", *self._command]


def test_a_directory_that_may_not_be_written_at_first(config: Path, file: Path, target: Target, tmp_path: Path) -> None:
    first = run_until_alert(config, target)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file.parent.chmod(0o500)
    try:
        with Ordinary(config, environ={"TMPDIR": str(elsewhere)}) as second:
            wait_for_words(second, "checks are kept in")
            file.parent.chmod(0o700)
            wait_for_words(second, "has everything that was measured meanwhile")
            wait_for_checks(file, more_than=len(stored_checks(file)) + 20)  # longer than the rule's window
            target.come_back("/")
            second.wait_for_announcement("recovery")
            assert second.terminate() == 0
    finally:
        file.parent.chmod(0o700)
    assert_goes_on_after(first, second)
    assert_holds_all_asked(stored_checks(file), target, runs=2)


def test_a_directory_that_comes_late(target: Target, tmp_path: Path) -> None:
    file = tmp_path / "late" / "monitor.db"
    config = write_config(tmp_path, [target.url("/")], interval_s=0.2, localDatabase=str(file))
    target.go_down("/")
    with Monitor(config, environ={"TMPDIR": str(tmp_path)}) as monitor:
        wait_for_words(monitor, "checks are kept in")
        monitor.wait_for_announcement("alert")
        file.parent.mkdir()
        wait_for_words(monitor, "has everything that was measured meanwhile")
        assert as_printed(stored_alerts(file)) == monitor.objects("alert")
        wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
        assert monitor.terminate() == 0
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)
    assert [alert.type for alert in stored_alerts(file)] == [AlertType.ALERT]


def overwrite_root_of(table: str) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with file.open("r+b") as opened:
            opened.seek((page - 1) * 4096)
            opened.write(random.Random(7).randbytes(4096))

    return damage


def overwrite_beginning(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(bytes(4096))


@pytest.mark.parametrize("damage", [overwrite_root_of("checks"), overwrite_root_of("outbox")])
def test_a_damaged_file_is_set_aside_and_its_open_alert_goes_on(
    config: Path, file: Path, target: Target, damage: Callable[[Path], None]
) -> None:
    first = run_until_alert(config, target)
    damage(file)
    damaged = file.read_bytes()
    with Monitor(config) as second:
        wait_for_words(second, "a new file was begun, with its open alerts")
        wait_for_checks(file, more_than=20)
        target.come_back("/")
        second.wait_for_announcement("recovery")
        assert second.terminate() == 0
    assert len(second.errors) == 1
    assert_goes_on_after(first, second)
    assert_sound(file)
    (aside,) = file.parent.glob(f"{file.name}.damaged-20??-??-??T??-??")
    assert aside.read_bytes() == damaged


@pytest.mark.parametrize("damage", [overwrite_root_of("alerts"), overwrite_beginning])
def test_a_file_the_alerts_of_which_are_lost_is_set_aside_and_said_so(
    config: Path, file: Path, target: Target, damage: Callable[[Path], None]
) -> None:
    run_until_alert(config, target)
    damage(file)
    with Monitor(config) as second:
        wait_for_words(second, "a new file was begun, but its alerts cannot be read")
        second.wait_for_announcement("alert")
        assert second.terminate() == 0
    assert len(second.errors) == 1
    assert as_printed(stored_alerts(file)) == second.objects("alert")


def other_program(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE theirs (value TEXT)")


def other_application(file: Path) -> None:
    other_program(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA application_id = 252006673")  # Fossil's


def notes(file: Path) -> None:
    file.write_text("my notes\n" * 100)


@pytest.mark.parametrize("make", [other_program, other_application, notes])
def test_a_file_of_another_program_is_refused_as_it_is(config: Path, file: Path, make: Callable[[Path], None]) -> None:
    make(file)
    before = file.read_bytes()
    for _ in range(2):
        with Monitor(config) as monitor:
            assert monitor.wait() == 1
        assert monitor.errors == [f"{file}: not a file of this program"]
    assert file.read_bytes() == before
    assert sorted(name.name for name in file.parent.iterdir()) == ["config.db", "config.json"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_second_name_of_the_same_file_is_refused(
    config: Path, file: Path, target: Target, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    with Monitor(config) as first:
        wait_for_checks(file)
        folder = tmp_path / "second"
        folder.mkdir()
        link(file, folder / "config.db")
        second = write_config(folder, [target.url("/")])
        with Monitor(second) as monitor:
            assert monitor.wait() == 1
        assert monitor.errors == [f"{folder / 'config.db'}: another monitor writes here already (process {first.pid})"]
        wait_for_checks(file, more_than=len(stored_checks(file)) + 3)
        assert first.terminate() == 0
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)
