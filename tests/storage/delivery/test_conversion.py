"""A file of 1.1.0 is converted while a monitor runs: people see that, how much is left, and its end."""

import shutil
from contextlib import closing
from pathlib import Path

from monitoring.service.health import Health
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.earlier_files import FIXTURES, LATER_MS


def test_what_is_left_is_shown_until_all_is_converted_and_both_ends_are_told(tmp_path: Path) -> None:
    path = tmp_path / "config.db"
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", path)
    clock = FakeClock()
    with closing(LocalStore(path)) as file:
        store = LocalFirstStore(file, clock)
        health = Health(store, lambda: 0, clock)
        (told,) = health.news()
        assert told.startswith("converting the checks of 1.1.0 in the background: those of ")
        notes, left = [], [file.unconverted_ms]
        while file.maintain(LATER_MS):
            clock.advance(4.0)
            notes += health.header_notes()
            left.append(file.unconverted_ms)
        assert left == sorted(left, reverse=True)
        assert left[-1] == 0
        assert len(set(notes)) > 10
        assert any(" left, about " in note for note in notes)
        assert [*health.news()] == ["all checks of 1.1.0 are converted"]
        assert (store.conditions(), store.left_behind()) == ([], ())
        store.close()
