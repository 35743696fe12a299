"""Minutes that are over take less room, answer sooner, and say just what they said before."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.models import Cause, CheckResult, History, Window
from monitoring.states import advance
from monitoring.store.local import LocalStore
from monitoring.store.outbox import Delivery
from tests.support.points import EVER, START_MS, alert, check, checks

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
    """Two checks make a row, two sites a step: so that a few checks take several steps."""
    monkeypatch.setattr("monitoring.store.packing.LEAST_CHECKS", 2)
    monkeypatch.setattr("monitoring.store.packer.SITES_A_STEP", 2)


def pack_all(store: LocalStore, now_ms: int = LATER_MS) -> int:
    steps = 0
    while store.pack(now_ms):
        steps += 1
    return steps


def loose(store: LocalStore) -> int:
    """How many checks lie unpacked in the file."""
    return int(store._connection.execute("SELECT COUNT(*) FROM checks").fetchone()[0])


def test_a_minute_is_packed_when_it_is_over_and_late_comers_have_had_their_time(store: LocalStore) -> None:
    store.append(checks(range(0, 60, 2)), [], START_MS)
    assert not store.pack(START_MS + 74_999)
    assert loose(store) == 30
    assert store.pack(START_MS + 75_000)
    assert loose(store) == 0


def test_the_few_checks_of_a_site_that_is_seldom_asked_stay_as_they_are(store: LocalStore) -> None:
    seldom = checks(range(0, 60, 15), "seldom")
    often = checks(range(0, 60, 2), "often")
    store.append([*seldom, *often], [], START_MS)
    pack_all(store)
    assert loose(store) == len(seldom)
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
    assert loose(store) == 30
    assert long in store.results(EVER)


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


class Delivering:
    """A local file and a database that takes what it is given, at the pace of the test."""

    def __init__(self, store: LocalStore) -> None:
        self.store = store
        self.delivered: set[object] = set()
        self.written: set[object] = set()
        self.under_way: Delivery | None = None
        self.now_s = 0.0

    def go_on(self, late: bool) -> None:
        """Half a minute of checks of three sites, some with a slot long past."""
        self.now_s += 30
        points = [check(self.now_s + n * 3, host) for n in range(6) for host in ("a", "b", "c")]
        points += [check(self.now_s - 100.5, "late", Cause.TIMEOUT)] if late else []
        self.store.append(points, [alert(self.now_s)], round(self.now_s * 1_000))
        self.written |= {*points, alert(self.now_s)}

    def pack(self) -> None:
        self.store.pack(START_MS + round(self.now_s * 1_000))

    def send(self) -> None:
        self.under_way = self.store.next_delivery(10)

    def arrive(self) -> None:
        if self.under_way:
            self.delivered |= {*self.under_way.results, *self.under_way.alerts}
            self.store.acknowledge(self.under_way)
        self.under_way = None

    def lose_disk(self) -> None:
        self.under_way = None
        self.delivered.clear()
        self.store.requeue()

    def drain(self) -> None:
        self.arrive()
        while delivery := self.store.next_delivery(10):
            self.under_way = delivery
            self.arrive()


STEPS: dict[str, Callable[[Delivering], None]] = {
    "go on": lambda it: it.go_on(late=False),
    "go on, late": lambda it: it.go_on(late=True),
    "pack": Delivering.pack,
    "pack more": lambda it: [it.pack() for _ in range(6)] and None,
    "send": Delivering.send,
    "arrive": Delivering.arrive,
    "lose disk": Delivering.lose_disk,
}


@quick
@given(steps=st.lists(st.sampled_from([*STEPS, "go on", "go on, late", "pack more"]), max_size=40))
def test_everything_is_delivered_however_packing_and_delivery_meet(
    tmp_path_factory: pytest.TempPathFactory, small_steps: None, steps: list[str]
) -> None:
    store = LocalStore(tmp_path_factory.mktemp("delivering") / "monitor.db")
    story = Delivering(store)
    for step in steps:
        STEPS[step](story)
    story.drain()
    assert story.delivered == story.written
    assert store.pending() == (0, None)
    assert {*store.results(EVER), *store.alerts(EVER)} == story.written
    store.close()


def test_without_a_database_the_outbox_stays_small(store: LocalStore, small_steps: None) -> None:
    """Hours of commits that nobody takes become one entry, and are all delivered when a database comes at last."""
    story = Delivering(store)
    for _ in range(100):
        story.go_on(late=False)
        story.pack()
        story.pack()
        story.pack()
    entries = store._connection.execute("SELECT COUNT(*) FROM outbox").fetchone()[0]
    assert entries < 12
    assert store.pending()[0] == len(story.written)
    story.drain()
    assert story.delivered == story.written
