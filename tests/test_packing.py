"""Minutes that are over take less room, answer sooner, and say just what they said before."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitoring import stats
from monitoring.models import Cause, CheckResult, History, SiteStats, Window
from monitoring.states import advance
from monitoring.store import blocks, schema, windows
from monitoring.store.blocks import MinuteBlock
from monitoring.store.local import LocalStore
from tests.support.delivering import STEPS, Delivering
from tests.support.points import EVER, START_MS, check, checks

LATER_MS = START_MS + 10**8

quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],  # each example has its own file
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "monitor.db")
    yield store
    store.close()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sites make a part, two parts are stored at once: so that a few checks take several steps."""
    for module in ("blocks", "due", "packer", "purge", "windows"):
        monkeypatch.setattr(f"monitoring.store.{module}.PART_SITES", 2)
    monkeypatch.setattr("monitoring.store.packer.PARTS_AT_ONCE", 2)


def pack_all(store: LocalStore, now_ms: int = LATER_MS) -> int:
    steps = 0
    while store.pack(now_ms):
        steps += 1
    return steps


def loose(store: LocalStore) -> int:
    """How many checks lie unpacked in the file."""
    return int(store.file.connection.execute("SELECT COUNT(*) FROM checks").fetchone()[0])


def test_a_minute_is_packed_when_it_is_over_and_late_comers_have_had_their_time(store: LocalStore) -> None:
    store.append(checks(range(0, 60, 2)), [], START_MS)
    assert not store.pack(START_MS + 74_999)
    assert loose(store) == 30
    assert pack_all(store, START_MS + 75_000)
    assert loose(store) == 0


def test_the_few_checks_of_a_site_that_is_seldom_asked_are_packed_with_the_others(store: LocalStore) -> None:
    seldom = checks([30], "seldom")
    often = checks(range(0, 60, 2), "often")
    store.append([*seldom, *often], [], START_MS)
    pack_all(store)
    assert loose(store) == 0
    assert set(store.results(EVER)) == {*seldom, *often}


def test_what_comes_after_its_minute_was_packed_is_found_as_well(store: LocalStore) -> None:
    early = checks(range(0, 60, 2))
    late = check(1, "b", Cause.TIMEOUT, "hung")
    store.append(early, [], START_MS)
    pack_all(store)
    store.append([late], [], START_MS)
    pack_all(store)
    assert set(store.results(EVER)) == {*early, late}
    assert store.downtime(Window.before(START_MS + 60_000, 60_000))["b"].failures == 1


def test_details_of_failures_and_odd_numbers_come_back_whole(store: LocalStore) -> None:
    odd = [
        CheckResult("a", START_MS + 2_000 * place, 10**9, 10**12, 999, time_us, (0, None, 10**10, 1, None), cause, text)
        for place, (time_us, cause, text) in enumerate(
            [(0, None, ""), (None, Cause.TLS, "\u202e \x1b \" ' \n"), (2**32 - 1, None, ""), (5, Cause.SLOW, "took 2 s")] * 3
        )
    ]
    store.append(odd, [], START_MS)
    pack_all(store)
    assert loose(store) == 0
    assert list(store.results(EVER)) == odd


def test_a_response_time_that_does_not_fit_is_left_alone(store: LocalStore) -> None:
    long = CheckResult("a", START_MS, 1, 1, 200, 2**32, (None,) * 5)
    store.append([long, *checks(range(2, 60, 2))], [], START_MS)
    pack_all(store)
    assert loose(store) == 1
    assert long in store.results(EVER)
    assert [block.sums[0][1] for block in store.next_blocks(9)] == [29]


def test_a_packed_check_takes_less_than_forty_bytes_with_everything(tmp_path: Path) -> None:
    """An hour of forty sites at two seconds, each with times of its own; the write-ahead log is written back."""
    store = LocalStore(tmp_path / "monitor.db")
    count = 0
    for minute in range(60):
        start_ms = START_MS + 60_000 * minute
        batch = [
            CheckResult(f"http://site{n}", start_ms + t + n, 2_000, 97 * n + t % 89, 200, 20_000 + 7 * t % 9_973 + n,
                        (20 + n, 60 + t % 41, None, 19_000 + 7 * t % 9_973, 30 + t % 7))
            for t in range(0, 60_000, 2_000) for n in range(40)
        ]  # fmt: skip
        store.append(batch, [], start_ms)
        count += len(batch)
        pack_all(store, start_ms + 60_000)
    store.close()
    assert (tmp_path / "monitor.db").stat().st_size / count < 40


def test_a_site_stands_where_it_stood_however_old_its_checks_are(store: LocalStore) -> None:
    """Failing for two hours, packed on the way: since when is not forgotten."""
    story = [*checks(range(0, 60, 2)), *checks(range(60, 7_200, 2), cause=Cause.STATUS)]
    store.append(story, [], START_MS)
    pack_all(store)
    assert store.histories() == {"a": fold(story)["a"]}
    assert store.histories()["a"].failing_since_ms == START_MS + 60_000


def test_a_check_that_came_late_is_remembered_as_well(store: LocalStore) -> None:
    """A site that hangs for minutes before it fails: each of its checks comes when its minute is packed."""
    hung = check(50, "hung", Cause.TIMEOUT, "nothing in 300 s")
    store.append([*checks(range(0, 120, 2)), check(20, "hung")], [], START_MS)
    pack_all(store)
    store.append([hung], [], START_MS)
    assert store.histories()["hung"] == fold([check(20, "hung"), hung])["hung"]
    assert store.last_time() == START_MS + 118_000


def fold(story: Sequence[CheckResult]) -> dict[str, History]:
    histories: dict[str, History] = {}
    for one in sorted(story, key=lambda it: it.time_ms):
        histories[one.host] = advance(histories.get(one.host), one)
    return histories


outcomes = st.lists(st.sampled_from([None, None, Cause.DNS, Cause.TIMEOUT]), min_size=1, max_size=90)


@quick
@given(outcomes=st.lists(outcomes, min_size=1, max_size=5), packed_at=st.lists(st.integers(0, 200), max_size=4))
def test_packing_changes_no_history(
    tmp_path_factory: pytest.TempPathFactory, small_steps: None, outcomes: list[list[Cause | None]], packed_at: list[int]
) -> None:
    """Also when the monitor ends between two steps and starts again."""
    path = tmp_path_factory.mktemp("packing") / "monitor.db"
    story = [check(2 * n, f"site {site}", cause) for site, row in enumerate(outcomes) for n, cause in enumerate(row)]
    first = LocalStore(path)
    first.append(story, [], START_MS)
    for second in sorted(packed_at):
        first.pack(START_MS + 1_000 * second)
    first.close()
    again = LocalStore(path)
    assert again.histories() == fold(story)
    assert again.last_time() == max(one.time_ms for one in story)
    assert set(again.results(EVER)) == set(story)
    again.close()


numbers = st.integers(0, 3) | st.integers(-(2**40), 2**62)
columns = st.tuples(
    *[numbers] * 3, *[st.none() | numbers] * 6, st.none() | st.integers(0, 9), st.none() | st.text(max_size=5)
)
places = st.tuples(st.integers(0, blocks.MINUTE_MS - 1), st.integers(0, blocks.PART_SITES - 1))


@settings(deadline=None)
@given(checks=st.dictionaries(places, columns, min_size=1, max_size=30))
@example({(0, 0): (0,) * 3 + (None,) * 8, (0, 1): (0,) * 3 + (-1,) * 6 + (None,) * 2})
def test_whatever_numbers_a_block_is_given_come_back(checks: dict[tuple[int, int], tuple[object, ...]]) -> None:
    minute_ms = START_MS - START_MS % blocks.MINUTE_MS
    rows = [(schema.first_key(minute_ms + at_ms) | place, *values) for (at_ms, place), values in checks.items()]
    assert blocks.PackedChecks(blocks.encode_checks(rows)).rows(minute_ms, 0) == sorted(rows)


stories = st.lists(st.sampled_from([*STEPS, "go on", "go on, late", "pack", "pack more"]), max_size=40)


@quick
@given(steps=stories)
def test_everything_is_delivered_however_packing_and_delivery_meet(
    tmp_path_factory: pytest.TempPathFactory, small_steps: None, steps: list[str]
) -> None:
    story = Delivering(LocalStore(tmp_path_factory.mktemp("delivering") / "monitor.db"))
    for step in steps:
        STEPS[step](story)
    story.drain()
    store = story.store
    assert story.delivered == story.written
    assert store.pending() == (0, None)
    found = [*store.results(EVER), *store.alerts(EVER)]
    assert len(found) == len(story.written)
    assert set(found) == story.written
    store.close()


@quick
@given(steps=stories)
def test_in_the_end_the_blocks_tell_of_every_check_once_late_ones_included(
    tmp_path_factory: pytest.TempPathFactory, small_steps: None, steps: list[str]
) -> None:
    story = Delivering(LocalStore(tmp_path_factory.mktemp("delivering") / "monitor.db"))
    for step in steps:
        STEPS[step](story)
    pack_all(story.store)
    story.drain()
    written = [point for point in story.written if isinstance(point, CheckResult)]
    told = [check for block in story.copies.values() for check in checks_in(block)]
    assert len(told) == len(written)
    assert set(told) == set(written)
    assert stats_of(story.copies.values()) == stats.summarise(written, WHOLE_MINUTES) == story.store.stats(WHOLE_MINUTES)
    story.store.close()


WHOLE_MINUTES = Window(START_MS - 600_000, START_MS + 3_000_000)


def checks_in(block: MinuteBlock) -> list[CheckResult]:
    hosts = dict(enumerate(block.hosts))
    return [schema.result_from_row(row, hosts) for row in blocks.PackedChecks(block.data).rows(block.minute_ms, 0)]


def stats_of(copies: Iterable[MinuteBlock]) -> dict[str, SiteStats]:
    """The statistics of what the sums of these blocks add up to."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema.SCHEMA)
    numbers: dict[str, int] = {}
    for block in copies:
        for place, *values in block.sums:
            number = numbers.setdefault(block.hosts[place], len(numbers))
            connection.execute(schema.INSERT_MINUTE, (schema.first_key(block.minute_ms) | number, *values))
    connection.executemany("INSERT INTO sites (host, id) VALUES (?, ?)", numbers.items())
    found = windows.stats(connection, WHOLE_MINUTES)
    connection.close()
    return found


def test_without_a_database_the_outbox_stays_small(store: LocalStore, small_steps: None) -> None:
    """Hours of commits that nobody takes become one entry, and are all delivered when a database comes at last."""
    story = Delivering(store)
    for _ in range(100):
        story.go_on(late=False)
        story.pack()
        story.pack()
        story.pack()
    entries = store.file.connection.execute("SELECT COUNT(*) FROM outbox").fetchone()[0]
    assert entries < 12
    assert store.file.connection.execute("SELECT COUNT(*) FROM blocks_due").fetchone() == (0,)
    blocks = store.file.connection.execute("SELECT COUNT(*) FROM blocks").fetchone()[0]
    assert store.pending()[0] == len(story.written) + blocks
    story.drain()
    assert story.delivered == story.written
