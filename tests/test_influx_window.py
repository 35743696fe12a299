"""What InfluxDB tells of a window equals the reference over its points, whoever delivered what of them, and how far."""

import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitoring import stats
from monitoring.errors import StoreUnavailable
from monitoring.models import Cause, CheckResult, SiteStats, Window
from monitoring.store import forwarder as delivery
from monitoring.store.blocks import MinuteBlock
from monitoring.store.forwarder import Forwarder
from monitoring.store.influx import InfluxStore
from monitoring.store.influxblocks import Told
from monitoring.store.influxminutes import NAMED_HOSTS
from monitoring.store.local import LocalStore
from monitoring.store.packing import LARGEST_TIME_US
from tests.support.clock import FakeClock
from tests.support.influxd import Influxd
from tests.support.points import START_MS

MINUTE_MS = 60_000
MINUTES = 4
SPAN = Window(START_MS, START_MS + MINUTES * MINUTE_MS)
MUCH_LATER_MS = SPAN.until_ms + 10**6
HOSTS = ("a", "b", "c")

few_stories = settings(
    max_examples=30,
    deadline=None,  # a real database on a busy machine
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],  # the same; the server is shared
)


@dataclass
class Monitor:
    """A local file and its delivery, moved step by step."""

    local: LocalStore
    forwarder: Forwarder

    def deliver(self) -> None:
        while self.forwarder.step():
            pass
        assert self.forwarder.trouble is None

    def pack(self, until_ms: int = MUCH_LATER_MS) -> None:
        while self.local.pack(until_ms):
            pass


@dataclass
class World:
    """A database, a reader that stays, and monitors that come and go. `wiped` says that it lost everything once."""

    server: Influxd
    database: str
    directory: Path
    writer: InfluxStore
    reader: InfluxStore
    monitors: list[Monitor] = field(default_factory=list)

    def monitor(self) -> Monitor:
        """One more, with a file of its own."""
        local = LocalStore(self.directory / f"{len(self.monitors)}.db")
        self.monitors.append(Monitor(local, Forwarder(local, self.writer, FakeClock())))
        return self.monitors[-1]

    def restart(self, monitor: Monitor) -> None:
        monitor.forwarder = Forwarder(monitor.local, self.writer, FakeClock())

    def wipe(self) -> None:
        self.writer.drop_database()
        self.server.query(f'CREATE DATABASE "{self.database}"')

    def new_reader(self) -> InfluxStore:
        return connect(self.server, self.database)


def connect(server: Influxd, database: str) -> InfluxStore:
    return InfluxStore(host=server.host, port=server.port, database=database, read_timeout=60)


@contextmanager
def new_world(server: Influxd) -> Iterator[World]:
    database = f"window {uuid.uuid4()}"
    with tempfile.TemporaryDirectory() as directory:
        world = World(server, database, Path(directory), connect(server, database), connect(server, database))
        world.writer.prove("test")
        try:
            yield world
        finally:
            world.writer.drop_database()
            world.writer.close()
            world.reader.close()
            for monitor in world.monitors:
                monitor.local.close()


@pytest.fixture
def world(influxd: Influxd) -> Iterator[World]:
    with new_world(influxd) as made:
        yield made


def check(at: int, host: str = "a", cause: Cause | None = None) -> CheckResult:
    """A check at a millisecond of the span; each has numbers of its own."""
    phases = (at % 7, None, at % 1_000, at, 5)
    return CheckResult(host, START_MS + at, 2_000, 7, 200 + at % 3, at % 70_000, phases, cause)


def checks(begin: int, end: int, hosts: Sequence[str] = HOSTS, step: int = 2_000) -> list[CheckResult]:
    """Of each host one each two seconds, not all at once; one in seven fails."""
    return [
        check(at + 10 * number, host, Cause.TIMEOUT if (at + number) // step % 7 == 3 else None)
        for at in range(begin, end, step)
        for number, host in enumerate(hosts)
    ]


def plain(found: dict[str, SiteStats]) -> dict[str, SiteStats]:
    """Means of points' seconds and of whole microseconds differ in the last digits of a float."""
    return {
        host: replace(
            site,
            response=site.response and replace(site.response, mean_us=round(site.response.mean_us, 3)),
            phases_us={phase: round(mean, 3) for phase, mean in site.phases_us.items()},
            trend=tuple(replace(it, mean_us=it.mean_us and round(it.mean_us, 3)) for it in site.trend),
        )
        for host, site in found.items()
    }


def assert_right(world: World, window: Window, reader: InfluxStore | None = None) -> None:
    assert_equals(reader or world.reader, world.writer.results(window), window)


def assert_equals(reader: InfluxStore, points: Sequence[CheckResult], window: Window) -> None:
    assert plain(dict(reader.stats(window))) == plain(stats.summarise(points, window))


WINDOWS = (
    SPAN,
    Window(START_MS + 31_234, SPAN.until_ms - 12_345),  # cuts two minutes
    Window(START_MS + 61_000, START_MS + 119_000),  # lies inside of one
    Window(START_MS - 600_000, START_MS + 2 * MINUTE_MS),  # marks of half minutes
    Window(SPAN.from_ms - 7_000, SPAN.until_ms + 1),
)


def assert_all_right(world: World) -> None:
    """Also for a reader that kept nothing."""
    fresh = world.new_reader()
    for window in WINDOWS:
        assert_right(world, window)
        assert_right(world, window, fresh)
    fresh.close()


# Stories

Step = tuple[str, int, int, int]
"""What happens, to which monitor, with two numbers."""

steps = st.tuples(
    st.sampled_from(
        ["measure", "measure", "deliver", "deliver", "step", "pack", "late", "restart", "requeue", "raw", "wipe"]
    ),
    st.integers(0, 1),
    st.integers(0, MINUTES * 30 - 1),
    st.integers(1, 60),
)


def play(world: World, step: Step) -> None:
    what, number, first, count = step
    monitor = world.monitors[number]
    if what in ("measure", "late"):
        found = measured(number, first, 1 if what == "late" else count, HOSTS[number:])
        monitor.local.append(found, [], found[-1].time_ms)
    elif what == "raw":
        world.writer.write(measured(number, first, count, ("stranger", "other")), [])
    elif what == "wipe":
        world.wipe()
        for one in world.monitors:
            one.forwarder.proven = False  # as after any failure
    elif what == "pack":
        monitor.pack(START_MS + first * 2_000 + 15_000)
    else:
        acts: dict[str, Callable[[], object]] = {
            "deliver": monitor.deliver,
            "step": monitor.forwarder.step,
            "restart": lambda: world.restart(monitor),
            "requeue": monitor.local.requeue,
        }
        acts[what]()


def measured(number: int, first: int, count: int, hosts: Sequence[str]) -> list[CheckResult]:
    """Two monitors measure at different milliseconds: at the same one it would be the same point."""
    found = checks(first * 2_000, min((first + count) * 2_000, SPAN.length_ms), hosts)
    return [replace(one, time_ms=one.time_ms + 100 * number) for one in found]


@few_stories
@given(story=st.lists(steps, min_size=3, max_size=20))
@example(story=[("measure", 0, 0, 60), ("pack", 0, 119, 1), ("deliver", 0, 0, 1), ("late", 0, 10, 1), ("step", 0, 0, 1)])
def test_whatever_happens_statistics_are_those_of_the_points(influxd: Influxd, story: list[Step]) -> None:
    """After every step: also while a monitor is in the midst of its delivery, where it may die."""
    with new_world(influxd) as world, pytest.MonkeyPatch.context() as patched:
        patched.setattr(delivery, "BATCH_POINTS", 40)
        patched.setattr(delivery, "BATCH_BLOCKS", 1)
        world.monitor(), world.monitor()
        for step in story:
            play(world, step)
            assert_right(world, WINDOWS[step[2] % len(WINDOWS)])


# The same, one by one


def delivered(world: World, points: Sequence[CheckResult], packed_until_ms: int = MUCH_LATER_MS) -> Monitor:
    """A monitor that measured these, packed what is over, and delivered all."""
    monitor = world.monitor()
    monitor.local.append(points, [], START_MS)
    monitor.pack(packed_until_ms)
    monitor.deliver()
    return monitor


def drop_points(world: World) -> None:
    """What blocks and pieces tell stays."""
    for host in {found.host for found in world.writer.results(SPAN)}:
        world.writer.drop_host(host)


def told(world: World, monitor: Monitor) -> dict[int, Told]:
    """By number of the minute."""
    return {
        (at_ms - START_MS) // MINUTE_MS: state for at_ms, state in world.writer.open_minutes(monitor.local.marker).items()
    }


def assert_told_without_points(world: World, points: Sequence[CheckResult]) -> None:
    drop_points(world)
    for window in WINDOWS:
        assert_equals(world.reader, points, window)


def test_minutes_that_are_over_are_answered_without_their_points(world: World) -> None:
    points = checks(0, SPAN.length_ms)
    monitor = delivered(world, points)
    assert told(world, monitor) == {}
    assert_told_without_points(world, points)


def test_fresh_checks_are_answered_without_their_points(world: World) -> None:
    """From pieces, as long as their minute has no blocks, and from both while only some are there."""
    monitor = world.monitor()
    monitor.deliver()  # nothing: a new database would get what is stored as a backlog
    points = checks(0, 90_000)
    for first in range(0, len(points), 7):
        monitor.local.append(points[first : first + 7], [], START_MS)
        monitor.deliver()
    assert told(world, monitor) == {0: Told.PIECES, 1: Told.PIECES}
    monitor.pack(START_MS + MINUTE_MS + 15_000)
    monitor.deliver()
    assert told(world, monitor) == {1: Told.PIECES}
    assert_all_right(world)
    assert_told_without_points(world, points)


def test_a_backlog_is_answered_from_its_points_until_its_blocks_are_there(world: World) -> None:
    monitor = world.monitor()
    monitor.local.append(checks(0, SPAN.length_ms), [], START_MS)
    monitor.pack()
    assert monitor.forwarder.step()
    assert told(world, monitor) == dict.fromkeys(range(MINUTES), Told.POINTS)
    assert_all_right(world)
    monitor.deliver()
    assert told(world, monitor) == {}
    assert_all_right(world)


def test_a_database_that_comes_later_gets_the_newest_minutes_in_pieces(world: World) -> None:
    """What is packed is a backlog; what is not is delivered as if it were fresh."""
    points = checks(0, SPAN.length_ms)
    monitor = delivered(world, points, packed_until_ms=START_MS + 2 * MINUTE_MS + 15_000)
    assert told(world, monitor) == {2: Told.PIECES, 3: Told.PIECES}
    assert_told_without_points(world, points)


def test_a_late_check_in_a_backlog_does_not_stand_for_its_minute(world: World) -> None:
    """Its piece is not all that there is: the blocks of the backlog are still to come."""
    monitor = world.monitor()
    monitor.local.append(checks(0, SPAN.length_ms), [], START_MS)
    monitor.pack()
    assert monitor.forwarder.step(), "the backlog's points"
    monitor.local.append([check(30_333)], [], START_MS)
    assert monitor.forwarder.step(), "the late point"
    assert told(world, monitor)[0] is Told.POINTS
    assert_all_right(world)


def test_a_reader_sees_what_was_delivered_since_its_last_question(world: World) -> None:
    monitor = world.monitor()
    for second in range(0, 240, 7):
        monitor.local.append(checks(second * 1_000, second * 1_000 + 7_000), [], START_MS)
        monitor.pack(START_MS + second * 1_000)
        monitor.deliver()
        assert_right(world, WINDOWS[second % len(WINDOWS)])


def test_a_late_check_is_counted_once_whatever_was_read_before(world: World) -> None:
    monitor = delivered(world, checks(0, SPAN.length_ms))
    assert_all_right(world)
    monitor.local.append([check(30_333, "a", Cause.TIMEOUT)], [], START_MS)
    assert monitor.forwarder.step(), "the point"
    assert told(world, monitor) == {0: Told.PIECES}
    assert_all_right(world)
    assert monitor.forwarder.step(), "its block"
    assert_all_right(world)
    monitor.deliver()
    assert told(world, monitor) == {}
    assert_all_right(world)


def test_two_monitors_of_the_same_sites_are_added_up(world: World) -> None:
    delivered(world, checks(0, SPAN.length_ms))
    assert_right(world, SPAN)
    delivered(world, measured(1, 0, 120, ["c", "x", "b"]))
    assert_all_right(world)


def test_a_monitor_that_died_before_its_last_blocks_is_not_forgotten(world: World) -> None:
    dead = world.monitor()
    dead.deliver()
    dead.local.append(checks(0, 100_000), [], START_MS)
    dead.pack(START_MS + MINUTE_MS + 15_000)
    assert dead.forwarder.step(), "its points; the block was never sent"
    delivered(world, measured(1, 0, 120, HOSTS))
    assert_all_right(world)


def test_a_monitor_with_a_new_file_goes_on_where_the_old_one_ended(world: World) -> None:
    """Its sites have other numbers, also in a minute that a window cuts."""
    delivered(world, checks(0, 150_000, ["a", "b", "c", "d"]))
    delivered(world, checks(150_000, SPAN.length_ms, ["d", "x", "c", "a"]))
    assert_all_right(world)


def test_points_that_no_block_tells_of_are_found(world: World) -> None:
    """Another program's: in minutes of their own, and beside a monitor's."""
    world.writer.write(checks(-30_000, 20_000, ["a", "stranger"]), [])
    assert_all_right(world)
    delivered(world, checks(MINUTE_MS, SPAN.length_ms))
    world.writer.write(checks(100_000, 200_000, ["stranger"]), [])
    assert_all_right(world)


def test_hundreds_of_sites_that_no_block_tells_of_are_asked_for_by_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sites of the past mostly: reading all points of the window, to find none of theirs, took seconds."""
    asked: list[Collection[str] | None] = []
    points = world.reader._minutes.points

    def noting(window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        asked.append(hosts)
        return points(window, hosts)

    monkeypatch.setattr(world.reader._minutes, "points", noting)
    strangers = [f"http://stranger-{number}.example/" for number in range(2 * NAMED_HOSTS + 1)]
    world.writer.write(checks(-MINUTE_MS, MINUTE_MS, strangers, step=50_000), [])
    delivered(world, checks(0, SPAN.length_ms))
    assert_right(world, SPAN)
    assert sorted(len(hosts or ()) for hosts in asked) == [1, NAMED_HOSTS, NAMED_HOSTS]


def test_a_site_that_came_later_was_somebody_elses_before(world: World) -> None:
    monitor = delivered(world, checks(0, 2 * MINUTE_MS, ["a"]))
    world.writer.write(checks(0, 2 * MINUTE_MS, ["b"]), [])
    monitor.local.append(checks(2 * MINUTE_MS, SPAN.length_ms, ["a", "b"]), [], START_MS)
    monitor.pack()
    monitor.deliver()
    assert_all_right(world)


def test_hundreds_of_sites_are_told_of_in_several_blocks_a_minute(world: World) -> None:
    hosts = [f"http://site-{number}.example/" for number in range(250)]
    monitor = delivered(world, checks(0, SPAN.length_ms, hosts, step=5_000))
    assert {block.part for block in all_blocks(monitor)} == {0, 1, 2}
    assert_all_right(world)
    points = checks(0, SPAN.length_ms, hosts, step=5_000)
    assert_told_without_points(world, points)


def all_blocks(monitor: Monitor) -> Sequence[MinuteBlock]:
    monitor.local.requeue()
    return monitor.local.next_blocks(1_000)


def test_a_wiped_database_has_forgotten_what_was_read_from_it(world: World) -> None:
    monitor = delivered(world, checks(0, SPAN.length_ms))
    assert world.reader.stats(SPAN)
    world.wipe()
    assert not world.reader.stats(SPAN)
    monitor.forwarder.proven = False  # as after any failure
    monitor.deliver()
    assert_all_right(world)


def test_sending_an_hour_again_changes_nothing(world: World) -> None:
    monitor = delivered(world, checks(0, SPAN.length_ms))
    before = {window: world.reader.stats(window) for window in WINDOWS}
    monitor.local.requeue()
    while monitor.forwarder.step():
        assert_right(world, SPAN)
    assert {window: world.reader.stats(window) for window in WINDOWS} == before


def test_a_check_that_fits_into_no_block_is_read_from_its_point(world: World) -> None:
    points = checks(0, SPAN.length_ms)
    slow = replace(points[4], response_us=LARGEST_TIME_US + 1)
    monitor = delivered(world, [*points[:4], slow, *points[5:]])
    assert told(world, monitor) == {0: Told.POINTS_FOR_GOOD}
    assert_all_right(world)
    world.restart(monitor)
    monitor.deliver()
    assert told(world, monitor) == {0: Told.POINTS_FOR_GOOD}


def test_blocks_that_are_refused_leave_their_minutes_to_the_points(world: World) -> None:
    """Somebody else's field is in the way: delivery goes on."""
    world.server.write(world.database, f"website_minutes,file=other,part=0 sums=1 {(SPAN.until_ms + 10**7) * 10**6}")
    monitor = delivered(world, checks(0, SPAN.length_ms))
    assert set(told(world, monitor).values()) == {Told.POINTS_FOR_GOOD}
    assert monitor.local.pending() == (0, None)
    assert_all_right(world)


def test_a_file_that_is_dropped_leaves_nothing_behind(world: World) -> None:
    gone = delivered(world, checks(0, MINUTE_MS, ["a"]))
    delivered(world, measured(1, 0, 30, ["b"]))
    world.writer.drop_host("a")
    world.writer.drop_file(gone.local.marker)
    assert world.reader.stats(SPAN).keys() == {"b"}
    assert not world.writer.knows(gone.local.marker)


def test_what_was_read_and_then_deleted_is_counted_no_more(world: World) -> None:
    """In a minute that lives on: another file's pieces are still there."""
    gone, stays = world.monitor(), world.monitor()
    for monitor, points in ((gone, checks(0, 30_000, ["a"])), (stays, measured(1, 0, 15, ["b"]))):
        monitor.deliver()
        monitor.local.append(points, [], START_MS)
        monitor.deliver()
    assert world.reader.stats(SPAN).keys() == {"a", "b"}
    world.writer.drop_host("a")
    world.writer.drop_file(gone.local.marker)
    assert world.reader.stats(SPAN).keys() == {"b"}


def test_a_question_that_failed_is_answered_by_the_next_one(influxd: Influxd) -> None:
    """What was read by half is not kept."""
    with new_world(influxd) as world:
        monitor = delivered(world, checks(0, SPAN.length_ms))
        assert_right(world, SPAN)
        world.writer.drop_database()
        with pytest.raises(StoreUnavailable, match="database not found"):
            world.reader.stats(SPAN)
        world.writer.prove("test")
        monitor.forwarder.proven = False
        monitor.deliver()
        assert_all_right(world)


def test_without_room_for_a_temporary_file_the_question_fails_and_the_next_one_is_answered(world: World) -> None:
    delivered(world, checks(0, SPAN.length_ms, [f"host {number}" for number in range(100)], step=10_000))
    world.reader._window._scratch._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreUnavailable, match="temporary file: database or disk is full"):
        world.reader.stats(SPAN)
    assert_all_right(world)
