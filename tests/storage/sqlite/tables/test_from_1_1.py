"""A file that version 1.1.0 wrote holds the same after it was brought up to date: at once, halfway and in the end."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.models import Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.database import SharedFile
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import blocks_1_1
from monitoring.storage.sqlite.tables.purge import Request
from tests.fixtures.files_1_1_0 import FILES, LATE_MS, MINUTE_MS, START_MS, Written, check
from tests.support.earlier_files import EVER, FIXTURES, LATER_MS, assert_holds, windows
from tests.support.forwarded import ask_purge
from tests.support.memory_backend import MemoryDatabase
from tests.support.points import by_host
from tests.support.stored import states_of


@pytest.fixture(params=FILES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Written]:
    path = tmp_path / "monitor.db"
    shutil.copy(FIXTURES / f"{request.param}_1_1_0.db", path)
    return path, FILES[request.param]


def blocks_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'blocks'").fetchone():
            return 0
        return int(connection.execute("SELECT COUNT(*) FROM blocks").fetchone()[0])


def test_everything_is_right_from_the_first_moment_and_until_the_last_block_is_a_row(old: tuple[Path, Written]) -> None:
    path, written = old
    with closing(LocalStore(path)) as store:
        assert_holds(store, written, written.checks)
    begun = blocks_in(path)
    assert begun > 0
    with closing(LocalStore(path)) as store:
        while blocks_in(path) > begun // 2:
            assert store.maintain(LATER_MS)
        assert_holds(store, written, written.checks)
    with closing(LocalStore(path)) as store:  # a process that ends halfway goes on
        while store.maintain(LATER_MS):
            pass
        assert blocks_in(path) == 0
        assert_holds(store, written, written.checks)


def test_a_gateway_counts_what_is_still_in_blocks(old: tuple[Path, Written]) -> None:
    """At the ends of a window, and in minutes that have no summary yet."""
    path, written = old
    with closing(SharedFile(path)) as shared, closing(shared.open()) as database:
        for unpack in (False, True):
            while unpack and shared.unpack():
                pass
            for window in windows(written):
                for exact in (True, False):
                    assert database.stats(window, exact=exact) == reference.summarise(written.checks, window, exact=exact)


def test_states_of_the_past_are_found_in_blocks_too(old: tuple[Path, Written]) -> None:
    path, written = old
    with closing(LocalStore(path)) as store:
        for before_ms in (START_MS + 45_000, START_MS + 95_000, START_MS + 100 * MINUTE_MS):
            assert store.last_states(before_ms) == states_of(written.checks, before_ms)


def test_what_had_not_been_delivered_is_delivered_and_so_are_all_summaries(old: tuple[Path, Written]) -> None:
    path, written = old
    database = MemoryDatabase().open("")
    with closing(LocalStore(path)) as store:
        while (delivery := store.next_delivery(200)) is not None:
            store.maintain(LATER_MS)
            database.write(delivery.points)
            store.acknowledge(delivery)
        while store.maintain(LATER_MS):
            pass
        while (delivery := store.next_delivery(200)) is not None:
            database.write(delivery.points)
            store.acknowledge(delivery)
        whole = Window(START_MS, Span.HOUR.start_of(written.checks[-1].time_ms))
        if whole.length_ms > 0:
            found = by_host(database.counts(whole, "hours"))
            assert found == {host: site.checks for host, site in reference.downtime(written.checks, whole).items()}
    received = list(database.results(EVER))
    undelivered = {one for now_ms, checks, _ in written.commits if now_ms > written.delivered_ms for one in checks}
    assert undelivered <= set(received) <= set(written.checks)
    assert [alert for alert in written.alerts if alert.time_ms > written.delivered_ms] == list(database.alerts(EVER))


def test_a_check_that_comes_while_its_minute_is_a_block(old: tuple[Path, Written]) -> None:
    """Stored already, it changes nothing; new, it is counted."""
    path, written = old
    known = written.checks[5]
    new = replace(check("https://new/", 7, known.time_ms + 1), covers_ms=5)
    with closing(LocalStore(path)) as store:
        store.append([known, new], [], LATER_MS)
        checks = sorted([*written.checks, new], key=lambda one: (one.time_ms, one.host))
        assert_holds(store, written, checks)
        while store.maintain(LATER_MS):
            pass
        assert_holds(store, written, checks)


def test_a_site_that_is_purged_does_not_come_back_out_of_a_block(old: tuple[Path, Written]) -> None:
    path, written = old
    host = written.checks[0].host
    with closing(LocalStore(path)) as store:
        ask_purge(store, Request(host, EVER.until_ms, forget=True))
        while store.maintain(LATER_MS):
            pass
        left = [one for one in written.checks if one.host != host]
        assert list(store.results(EVER)) == left
        assert host not in store.stats(EVER, exact=False)
        assert host not in store.hosts()


def test_blocks_expire_like_rows(old: tuple[Path, Written]) -> None:
    path, written = old
    with closing(LocalStore(path)) as store:
        store.set_retention(Span.HOUR.length_ms, 10**12)
        while store.maintain(LATER_MS):
            pass
        expected = [
            one for one in written.checks if one.time_ms >= min(LATER_MS - Span.HOUR.length_ms, store.summarised_ms())
        ]
        assert list(store.results(EVER)) == expected
        assert blocks_in(path) == 0


def test_a_block_that_becomes_rows_in_several_steps_counts_once(
    old: tuple[Path, Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is short however many checks a minute had."""
    path, written = old
    monkeypatch.setattr(blocks_1_1, "ROWS_AT_ONCE", 7)
    with closing(LocalStore(path)) as store:
        for _ in range(4):
            store.maintain(LATER_MS)
        assert_holds(store, written, written.checks)
        store.append(written.checks[-9:], [], LATER_MS)
        while store.maintain(LATER_MS):
            pass
        assert_holds(store, written, written.checks)
        assert blocks_in(path) == 0


def test_a_directory_that_is_renamed_meanwhile_stops_nothing(old: tuple[Path, Written]) -> None:
    path, written = old
    folder = path.parent / "data"
    folder.mkdir()
    path = path.rename(folder / path.name)
    with closing(LocalStore(path)) as store:
        folder.rename(folder.with_name("renamed"))
        while store.maintain(LATER_MS):
            pass
        assert_holds(store, written, written.checks)
    assert blocks_in(folder.with_name("renamed") / path.name) == 0


def test_refusals_and_late_checks_come_over(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", tmp_path / "monitor.db")
    assert any(check.time_ms < now_ms - LATE_MS for now_ms, checks, _ in FILES["some_hours"].commits for check in checks)
    with closing(LocalStore(tmp_path / "monitor.db")) as store:
        (refusal,) = store.refusals()
        assert (refusal.kind, refusal.host, refusal.count, refusal.reason) == (
            "checks",
            "https://a/",
            2,
            "field type conflict",
        )
        store.retry_refused("checks")
        assert not store.refusals()
