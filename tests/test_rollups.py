"""Hours and days add up to what their minutes did, also when these are gone: long windows equal the reference."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring import stats
from monitoring.models import Cause, CheckResult, SiteStats, Window
from monitoring.store import packing, rollups, schema, windows
from monitoring.store.local import LocalStore
from monitoring.store.retention import AT_ONCE
from monitoring.store.rolledblocks import RolledBlock
from tests.support.delivering import STEPS
from tests.support.points import START_MS, check, checks
from tests.test_purge import Purging, purge_all

HOUR_MS, DAY_MS = stats.HOUR_MS, stats.DAY_MS
HOUR_S, DAY_S = HOUR_MS // 1_000, DAY_MS // 1_000
NOW_MS = START_MS + 90 * DAY_MS

SMALL_HOUR_MS, SMALL_DAY_MS = 120_000, 480_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "monitor.db")
    yield store
    store.close()


def pack_all(store: LocalStore) -> None:
    while store.pack(NOW_MS):
        pass


def retain_all(store: LocalStore, checks_before_s: float, alerts_before_s: float = 0) -> None:
    while store.retain(START_MS + round(1_000 * checks_before_s), START_MS + round(1_000 * alerts_before_s)):
        pass


def rows(store: LocalStore, table: str) -> int:
    return int(store.file.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def long_story() -> list[CheckResult]:
    """Three days of two sites, one of which fails at times."""
    good = checks(range(0, 3 * DAY_S, 1_200))
    failing = [check(second, "b", Cause.TIMEOUT if second % 7 else None) for second in range(5, 3 * DAY_S, 1_700)]
    return [*good, *failing]


WINDOWS = [
    Window(START_MS + first * HOUR_MS, START_MS + last * HOUR_MS)
    for first, last in [(0, 72), (5, 72), (24, 72), (0, 48), (7, 50), (30, 71), (-900, 900), (1, 26)]
]


@pytest.mark.parametrize(
    "window", WINDOWS, ids=lambda it: f"{(it.from_ms - START_MS) // HOUR_MS}-{it.length_ms // HOUR_MS}h"
)
def test_a_long_window_of_whole_hours_is_the_same_when_its_checks_are_gone(store: LocalStore, window: Window) -> None:
    story = long_story()
    store.append(story, [], START_MS)
    pack_all(store)
    expected = stats.summarise(story, window)
    assert store.stats(window) == expected
    retain_all(store, 3 * DAY_S)
    assert [rows(store, table) for table in AT_ONCE] == [0, 0, 0]
    assert store.stats(window) == expected


def test_the_hour_that_is_not_over_counts_as_far_as_it_was_packed_and_the_rest_is_loose(store: LocalStore) -> None:
    story = checks([*range(0, 2 * DAY_S, 900), *range(2 * DAY_S, 2 * DAY_S + 700, 20)])
    store.append(story, [], START_MS)
    while store.pack(START_MS + (2 * DAY_S + 600) * 1_000):
        pass
    assert rows(store, "checks") > 0
    for end_s in (2 * DAY_S + 700, 2 * DAY_S + 601, 2 * DAY_S + 333):
        window = Window(START_MS + 3 * HOUR_MS, START_MS + end_s * 1_000)
        assert store.stats(window) == stats.summarise(story, window)


def test_what_came_late_is_added_when_retention_takes_it_and_not_before(store: LocalStore) -> None:
    story = checks(range(0, 2 * DAY_S, 600))
    store.append(story, [], START_MS)
    pack_all(store)
    late = [check(7, "late", Cause.TIMEOUT), check(8), CheckResult("a", START_MS + 9_000, 2_000, 0, 200, 2**33)]
    store.append(late, [], START_MS)
    window = Window(START_MS, START_MS + 2 * DAY_MS)
    expected = stats.summarise([*story, *late], window)
    assert store.stats(window) == expected
    retain_all(store, DAY_S)
    assert rows(store, "checks") == 0
    assert store.stats(window) == expected


def test_hours_and_days_live_as_long_as_alerts_and_go_by_whole_days(store: LocalStore) -> None:
    story = long_story()
    store.append(story, [], START_MS)
    pack_all(store)
    retain_all(store, 3 * DAY_S, 2 * DAY_S - 1)
    assert (rows(store, "hours"), rows(store, "days")) == (2 * 48, 2 * 2)
    window = Window(START_MS, START_MS + 3 * DAY_MS)
    assert store.stats(window) == stats.summarise([one for one in story if one.time_ms >= START_MS + DAY_MS], window)


def test_they_outlive_alerts_while_checks_do(store: LocalStore) -> None:
    story = long_story()
    store.append(story, [], START_MS)
    pack_all(store)
    retain_all(store, DAY_S, 3 * DAY_S)
    assert rows(store, "days") == 2 * 2


def test_a_file_from_before_there_were_any_gets_them_from_its_minutes(store: LocalStore, tmp_path: Path) -> None:
    story = long_story()
    store.append(story, [], START_MS)
    pack_all(store)
    for table in rollups.LENGTHS_MS:
        store.file.connection.execute(f"DROP TABLE {table}")
    store.close()
    again = LocalStore(tmp_path / "monitor.db")
    assert (rows(again, "hours"), rows(again, "days")) == (2 * 72, 2 * 3)
    assert again.stats(WINDOWS[1]) == stats.summarise(story, WINDOWS[1])
    again.close()


@pytest.mark.parametrize("host", ["b", None])
@pytest.mark.parametrize("forget", [True, False])
def test_nothing_of_what_was_purged_is_left_in_hours_and_days(store: LocalStore, host: str | None, forget: bool) -> None:
    story = long_story()
    store.append(story, [], START_MS)
    pack_all(store)
    retain_all(store, DAY_S)
    purge_all(store, host, DAY_S + 7 * HOUR_S, forget=forget)
    left = [one for one in story if host not in (None, one.host) or one.time_ms >= START_MS + DAY_MS + 7 * HOUR_MS]
    for window in WINDOWS:
        assert store.stats(window) == stats.summarise(left, window)


def test_a_site_of_which_only_hours_are_left_can_be_purged_and_is_told_of_before(store: LocalStore) -> None:
    from monitoring.store import purge
    from monitoring.store.purge import Request

    story = long_story()
    store.append(story, [], START_MS)
    pack_all(store)
    retain_all(store, 3 * DAY_S)
    with store._pool.snapshot() as connection:
        one = purge.survey(connection, Request("b", NOW_MS, forget=True))
        both = purge.survey(connection, Request(None, START_MS + HOUR_MS, forget=False))
        earlier = purge.survey(connection, Request("b", START_MS, forget=False))
    assert (one.checks, one.summed_from_ms) == (0, START_MS)
    assert (both.hosts, both.summed_from_ms) == (("a", "b"), START_MS)
    assert earlier.summed_from_ms is None
    purge_all(store, "b", 3 * DAY_S, forget=True)
    assert (rows(store, "hours"), rows(store, "days")) == (72, 3)
    assert dict(store.file.connection.execute("SELECT id, host FROM sites")) == {0: "a"}


class Rolling(Purging):
    """Also forgets checks that are older than ten minutes."""

    def retain(self) -> None:
        self.store.retain(START_MS + round(self.now_s * 1_000) - 600_000, START_MS)

    def copies_left(self) -> list[RolledBlock]:
        """What the database was sent: `--purge` without a site deletes hours and days that were over there by itself."""
        cuts = [at_ms for host, at_ms in self.cuts if host is None]
        lengths_ms = rollups.LENGTHS_MS
        return [
            block
            for block in self.rolled.values()
            if not any(block.start_ms + lengths_ms[block.table] <= at_ms for at_ms in cuts)
        ]


ROLLING: dict[str, Callable[..., None]] = {
    **{name: step for name, step in STEPS.items() if name != "repeat"},
    "ask for a": lambda it: it.ask("a", 45),
    "ask for all": lambda it: it.ask(None, 200),
    "step": Rolling.step,
    "retain": Rolling.retain,
}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.sampled_from([*ROLLING, *["go on", "go on, late", "pack more"] * 3, "step", "retain", "retain"]), max_size=100
    )
)
def test_however_packing_retention_and_purging_meet_long_windows_equal_the_reference(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        make_hours_short(patch)
        story = Rolling(LocalStore(tmp_path_factory.mktemp("rolling") / "monitor.db"))
        for name in steps:
            ROLLING[name](story)
        pack_all(story.store)
        while story.store.purge(NOW_MS):
            pass
        written = [one for one in story.written if isinstance(one, CheckResult)]
        unsure = {one.host for one in written if story.was_cut(one)}  # it came after the purge was asked for
        now = START_MS + (round(story.now_s * 1_000) // SMALL_HOUR_MS + 1) * SMALL_HOUR_MS
        for hours in (5, 9, 40):
            window = Window(now - hours * SMALL_HOUR_MS, now)
            found, expected = story.store.stats(window), stats.summarise(written, window)
            assert {**found, **dict.fromkeys(unsure)} == {**expected, **dict.fromkeys(unsure)}
        assert_days_are_sums_of_hours(story.store)
        story.drain()
        assert story.store.pending() == (0, None)
        over_ms = story.store.packed_until_ms() // SMALL_HOUR_MS * SMALL_HOUR_MS
        window = Window(over_ms - 40 * SMALL_HOUR_MS, over_ms)
        found, expected = stats_of(story.copies_left(), window), stats.summarise(written, window)
        assert {**found, **dict.fromkeys(unsure)} == {**expected, **dict.fromkeys(unsure)}
        story.store.close()


def stats_of(copies: Iterable[RolledBlock], window: Window) -> dict[str, SiteStats]:
    """The statistics of what these hours and days tell."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(schema.SCHEMA)
    numbers: dict[str, int] = {}
    for block in copies:
        for place, *values in block.rows:
            number = numbers.setdefault(block.hosts[place], len(numbers))
            rollups.put(connection, block.table, [(schema.first_key(block.start_ms) | number, *values)])
    connection.executemany("INSERT INTO sites (host, id) VALUES (?, ?)", numbers.items())
    found = windows.stats(connection, window, [window])
    connection.close()
    return found


def make_hours_short(patch: pytest.MonkeyPatch) -> None:
    """An hour lasts two minutes and a day has four of them; parts and steps are small."""
    for module in ("stats", "store.rollups", "store.retention"):
        patch.setattr(f"monitoring.{module}.HOUR_MS", SMALL_HOUR_MS)
        patch.setattr(f"monitoring.{module}.DAY_MS", SMALL_DAY_MS)
    for module in ("rollups", "rolledblocks"):
        patch.setattr(f"monitoring.store.{module}.LENGTHS_MS", {"hours": SMALL_HOUR_MS, "days": SMALL_DAY_MS})
    patch.setattr("monitoring.store.rollups.ROWS_AT_ONCE", 2)
    patch.setattr("monitoring.store.purge.SITES_AT_ONCE", 1)
    patch.setattr("monitoring.store.purge.LOOK_MS", 100_000)
    for module in ("blocks", "due", "packer", "purge", "rolledblocks", "windows"):
        patch.setattr(f"monitoring.store.{module}.PART_SITES", 2)
    patch.setattr("monitoring.store.packer.PARTS_AT_ONCE", 2)
    patch.setattr("monitoring.store.retention.AT_ONCE", {"minutes": 3, "blocks": 1, "checks": 5})


def assert_days_are_sums_of_hours(store: LocalStore) -> None:
    days = day_rows(store)
    store.file.connection.execute("DELETE FROM days")
    rollups.put(store.file.connection, "days", store.file.connection.execute("SELECT * FROM hours").fetchall())
    assert day_rows(store) == days


def day_rows(store: LocalStore) -> list[dict[str, object]]:
    """What is counted in text stands there in any order."""
    names = ("id", *rollups.COLUMNS)
    rows = store.file.connection.execute(f"SELECT {', '.join(names)} FROM days ORDER BY id")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**day, "statuses": counted(day["statuses"]), "causes": counted(day["causes"])} for day in found]


def counted(text: str | None) -> dict[str, int]:
    return packing.counts([text] if text else [])
