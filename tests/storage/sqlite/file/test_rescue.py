"""Whole files: a copy made in steps has everything, whatever is written meanwhile; no file is ever replaced."""

import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.storage.sqlite.file import rescue

NOW_MS = 1_795_891_200_000
"""2026-11-28, 18:40 UTC."""


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_has_everything_though_it_is_written_all_the_time(tmp_path: Path, seed: int) -> None:
    """Its file was deleted, another connection reads; the writer inserts, changes, deletes, rolls back and checkpoints."""
    choose, file, lock = random.Random(seed), tmp_path / "open.db", threading.Lock()
    with closing(sqlite3.connect(file, isolation_level=None)) as source:
        source.execute("PRAGMA journal_mode = WAL")
        source.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB)")
        source.execute("BEGIN")
        source.executemany("INSERT INTO rows (value) VALUES (?)", ((choose.randbytes(2_000),) for _ in range(4_000)))
        source.execute("COMMIT")
        reader = sqlite3.connect(file, isolation_level=None)
        reader.execute("SELECT COUNT(*) FROM rows").fetchone()
        for name in (file, rescue.beside(file, "-wal"), rescue.beside(file, "-shm")):
            name.unlink()
        pauses = 0

        def write_something() -> None:
            nonlocal pauses
            assert not lock.locked()
            pauses += 1
            source.execute("BEGIN IMMEDIATE")
            for _ in range(choose.randrange(1, 50)):
                source.execute("INSERT INTO rows (value) VALUES (?)", (choose.randbytes(500),))
                source.execute("UPDATE rows SET value = ? WHERE id = ?", (b"changed", choose.randrange(4_000)))
                source.execute("DELETE FROM rows WHERE id = ?", (choose.randrange(4_000),))
            source.execute(choose.choice(["COMMIT", "COMMIT", "ROLLBACK"]))
            if choose.random() < 0.3:
                source.execute("PRAGMA wal_checkpoint(PASSIVE)")
            reader.execute("SELECT SUM(LENGTH(value)) FROM rows").fetchone()

        with lock:
            rescue.copy(source, tmp_path / "copy.db", lock, write_something)
        assert pauses > 3
        everything = source.execute("SELECT * FROM rows ORDER BY id").fetchall()
        reader.close()
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT * FROM rows ORDER BY id").fetchall() == everything
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_name_that_is_taken_stays_what_it_was(tmp_path: Path) -> None:
    file, name = tmp_path / "ours", tmp_path / "name"
    file.write_text("ours")
    rescue.give_name(file, name)
    assert name.read_text() == "ours"
    assert not file.exists()
    file.write_text("another")
    with pytest.raises(FileExistsError):
        rescue.give_name(file, name)
    assert name.read_text() == "ours"


def test_what_is_set_aside_says_why_and_when_and_keeps_its_log(tmp_path: Path) -> None:
    file = tmp_path / "config.db"
    for _ in range(2):
        file.write_text("damaged")
        rescue.beside(file, "-wal").write_text("log")
        rescue.beside(file, "-shm").write_text("index")
        rescue.set_aside(file, "damaged", NOW_MS)
    name = "config.db.damaged-2026-11-28T18-40"
    assert sorted(found.name for found in tmp_path.iterdir()) == [name, f"{name}-2", f"{name}-2-wal", f"{name}-wal"]


def test_the_file_itself_is_set_aside_where_its_name_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real.db", tmp_path / "link.db"
    real.write_text("damaged")
    link.symlink_to(real)
    assert rescue.set_aside(link, "damaged", NOW_MS).parent == real.parent
    assert link.is_symlink()
    assert not real.exists()


def test_what_cannot_be_set_aside_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"gone\.db: cannot be set aside: No such file"):
        rescue.set_aside(tmp_path / "gone.db", "damaged", NOW_MS)
