"""A local file that is new goes on where the one before it ended: what it takes over from a database."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import pytest

from monitoring.config import Config, parse_config
from monitoring.models import Alert, Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.status import advance
from monitoring.storage.base import Points
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.delivery.unwritten import UnwrittenReader
from monitoring.storage.delivery.writer import Writer
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.opening import take_over_past
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.clock import FakeClock
from tests.support.forwarded import ask_purge, drain, maintain
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.points import EVER, START_MS, alert, check, checks, recovery
from tests.support.taken_over import NOW_S, OTHER, WINDOW_S, A, B, down_twice


@dataclass
class World:
    """A database, the addresses that lead to it, and a monitor's folder."""

    stack: ExitStack
    server: Influxd
    name: str
    address: str
    folder: Path
    location: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def database(self) -> InfluxStore:
        return self.at(self.location)

    def at(self, location: str) -> InfluxStore:
        return self.stack.enter_context(closing(store_at(address_of(self.server, self.name), location)))

    def write(self, checks: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        self.database.write(Points(checks, alerts))

    def config(self, *urls: str, **settings: object) -> Config:
        data = {"websites": [{"URL": url} for url in urls], "database": self.address, **settings}
        if self.location:
            data["location"] = self.location
        return parse_config(data, source="config.json", environ={}, path=self.folder / "config.json")

    def new_file(self, config: Config, clock: FakeClock | None = None) -> LocalStore:
        """The local file of a monitor that starts at `NOW_S`."""
        local = self.stack.enter_context(closing(LocalStore(self.folder / f"{uuid.uuid4()}.db")))
        clock = clock or FakeClock(START_MS + NOW_S * 1_000)
        take_over_past(local, config, clock, self.said.append)
        return local


@pytest.fixture(params=["influxdb", "influxdb, at a location"])
def world(request: pytest.FixtureRequest, influxd: Influxd, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        name = f"past{uuid.uuid4().hex}"
        location = "paris" if "location" in request.param else ""
        found = World(stack, influxd, name, influxd.url(name), tmp_path, location)
        found.database.verify("the file before")
        stack.callback(found.database.drop_database)
        yield found


def window_before(second: float) -> Window:
    return Window.before(START_MS + round(second * 1_000), WINDOW_S * 1_000)


def test_alerts_are_decided_as_if_the_file_had_not_been_lost(world: World) -> None:
    written = down_twice()
    world.write(written, [])
    local = world.new_file(world.config(A, B))
    own = checks(range(NOW_S + 6, NOW_S + 20, 2), A, Cause.DNS)
    local.append(own, [], 0)
    window, both = window_before(NOW_S + 20), [*written, *own]
    within = [one for one in both if one.time_ms >= START_MS + (NOW_S - WINDOW_S) * 1_000]
    assert window.from_ms >= within[0].time_ms
    assert local.downtime(window) == reference.downtime(both, window)
    assert local.downtime(window, [A]) == reference.downtime(both, window, [A])
    ended = {A: window.from_ms + window.length_ms // 2}
    assert local.downtime(window, None, ended) == reference.downtime(both, window, None, ended)
    assert local.failures(window, [A, B]) == reference.failures(both, window, [A, B])
    assert world.said == [f"{local.path} was empty: the past of its sites was taken over from the database"]


def test_it_is_so_after_a_restart_and_when_its_minutes_are_summarised_and_while_it_cannot_be_written(world: World) -> None:
    written = down_twice()
    world.write(written, [alert(NOW_S - 2, A)])
    new = world.new_file(world.config(A, B))
    new.close()
    with closing(LocalStore(new.path)) as local:
        own = checks(range(NOW_S + 6, NOW_S + 20, 2), A, Cause.DNS)
        local.append(own[:4], [], 0)
        writer = Writer(local, FakeClock(), lambda: None)
        for one in own[4:]:
            writer.append(one)
        reader, window, both = UnwrittenReader(local, writer.unwritten), window_before(NOW_S + 20), [*written, *own]
        maintain(local, START_MS + 10**6)
        assert reader.downtime(window) == reference.downtime(both, window)
        assert reader.failures(window, [A]) == reference.failures(both, window, [A])
        assert local.last_alerts() == {A: alert(NOW_S - 2, A)}


def test_the_newest_alert_of_each_site_is_known_and_where_each_stands(world: World) -> None:
    written = down_twice()
    world.write(written, [alert(100, A), recovery(300, A), alert(NOW_S - 2, A), alert(5, B), recovery(400, B)])
    local = world.new_file(world.config(A, B))
    assert local.last_alerts() == {A: alert(NOW_S - 2, A), B: recovery(400, B)}
    assert {one.host: one for one in local.newest_alerts()} == local.last_alerts()
    found = local.last_states(START_MS + 10**6)
    assert found.keys() == {A, B}
    for host, history in found.items():
        lived = reduce(advance, [one for one in written if one.host == host], None)
        assert lived
        assert (history.last_ms, history.last_available) == (lived.last_ms, lived.last_available)
        assert history.last_failure_ms == lived.last_failure_ms
        if lived.last_available:
            assert history.good_since_ms == lived.good_since_ms
        else:
            assert history.failing_since_ms == lived.failing_since_ms


def test_nothing_of_it_is_sent_to_the_database_again_and_it_is_there_once(world: World) -> None:
    written, told = down_twice(), [alert(100, A), recovery(300, A), alert(NOW_S - 2, A)]
    world.write(written, told)
    local = world.new_file(world.config(A, B))
    assert (local.pending().points, local.pending().summaries) == (0, 0)
    local.append([check(NOW_S + 6, A)], [], 0)
    assert local.pending().points == 1
    drain(Forwarder(local, world.database, FakeClock()))
    assert list(world.database.results(EVER)) == [*written, check(NOW_S + 6, A)]
    assert world.database.alerts(EVER) == told
    local.requeue(0, EVER.until_ms)  # as for a database that has lost its disk
    drain(Forwarder(local, world.database, FakeClock()))
    assert list(world.database.results(EVER)) == [*written, check(NOW_S + 6, A)]
    assert world.database.alerts(EVER) == told


def test_minutes_that_it_took_over_in_part_change_no_number(world: World) -> None:
    """What the new file adds up of them takes the place of what the one before had sent."""
    written = down_twice()
    world.write(written, [])
    local = world.new_file(world.config(A, B))
    own = checks(range(NOW_S + 6, NOW_S + 600, 2), A)
    local.append(own, [], 0)
    maintain(local, START_MS + 10**7)
    drain(Forwarder(local, world.database, FakeClock()))
    window = Window(START_MS, START_MS + 1_200_000)
    assert world.database.stats(window, exact=True) == reference.summarise([*written, *own], window, exact=True)


def test_only_the_sites_of_the_configuration_and_only_this_location_count(world: World) -> None:
    world.write([*down_twice(), *checks([598], OTHER, Cause.DNS)], [alert(100, A), alert(599, OTHER)])
    world.at("tokyo").write(Points(checks(range(500, NOW_S, 2), B, Cause.DNS), [alert(550, B)]))
    local = world.new_file(world.config(A, B))
    assert local.last_alerts() == {A: alert(100, A)}
    assert local.failures(EVER, [A, B, OTHER]).keys() == {A}
    assert set(local.hosts()) == {A, B}


def test_times_begin_after_all_that_is_stored(world: World) -> None:
    """Also of other sites; and what the clock of the monitor before had called the future is the past."""
    ahead_s = NOW_S + 3_600
    world.write([check(ahead_s, A, Cause.DNS), check(ahead_s + 9, OTHER)], [])
    clock = FakeClock(START_MS + NOW_S * 1_000)
    local = world.new_file(world.config(A, B), clock)
    assert clock.now_ms() == START_MS + (ahead_s + 9) * 1_000 + 1
    assert local.failures(window_before(ahead_s + 9), [A, OTHER]).keys() == {A}


def test_a_file_that_has_something_takes_nothing_over(world: World) -> None:
    world.write(down_twice(), [alert(100, A)])
    config, clock = world.config(A, B), FakeClock()
    local = world.stack.enter_context(closing(LocalStore(world.folder / "old.db")))
    local.append([check(1, A)], [], 0)
    take_over_past(local, config, clock, world.said.append)
    assert (local.last_alerts(), set(local.failures(EVER, [A]))) == ({}, set())
    assert clock.now_ms() == START_MS + 1_001


def put_back(world: World, config: Config) -> LocalStore:
    """A file whose copy was made at 100 s, when A was down; the alert at 500 s came later, and is in the database."""
    path, copy = world.folder / "old.db", world.folder / "copy.db"
    with closing(LocalStore(path)) as local:
        local.append(checks(range(90, 100, 2), A, Cause.DNS), [alert(99, A)], 0)
        drain(Forwarder(local, world.database, FakeClock()))
    shutil.copy(path, copy)
    with closing(LocalStore(path)) as local:
        local.append(checks(range(100, NOW_S, 2), A), [recovery(110, A), alert(500, A), recovery(510, A)], 0)
        local.append(checks(range(101, NOW_S, 2), B), [alert(590, OTHER)], 0)
        drain(Forwarder(local, world.database, FakeClock()))
    shutil.copy(copy, path)
    return world.stack.enter_context(closing(LocalStore(path)))


def test_a_file_that_was_put_back_from_a_copy_takes_over_what_came_after_it(world: World) -> None:
    """So the outage that was open then is not announced again, and its recovery is not either."""
    config, clock = world.config(A, B), FakeClock(START_MS + NOW_S * 1_000)
    local = put_back(world, config)
    take_over_past(local, config, clock, world.said.append)
    assert list(local.alerts(EVER)) == [alert(99, A), recovery(110, A), alert(500, A), recovery(510, A)]
    assert local.last_alerts() == {A: recovery(510, A)}
    window, good = window_before(NOW_S), [*checks(range(100, NOW_S, 2), A), *checks(range(101, NOW_S, 2), B)]
    assert local.downtime(window) == reference.downtime(good, window)
    assert local.last_states(EVER.until_ms)[A].good_since_ms == START_MS + 100_000
    assert clock.now_ms() == START_MS + NOW_S * 1_000
    assert world.said == [f"{local.path} is a copy: what came after it was taken over from the database"]


def test_so_it_does_when_that_is_found_out_while_the_monitor_runs(world: World) -> None:
    local = put_back(world, world.config(A, B))
    drain(Forwarder(local, world.database, FakeClock()))
    assert list(local.alerts(EVER)) == [alert(99, A), recovery(110, A), alert(500, A), recovery(510, A)]
    assert world.database.alerts(EVER) == [*local.alerts(EVER), alert(590, OTHER)]


def test_a_file_that_is_as_the_database_knows_it_takes_nothing_over(world: World) -> None:
    config = world.config(A, B)
    with closing(LocalStore(world.folder / "old.db")) as local:
        local.append(checks([90], A), [alert(99, A)], 0)
        drain(Forwarder(local, world.database, FakeClock()))
        world.write(down_twice(), [recovery(200, A)])  # another monitor at this place
        take_over_past(local, config, FakeClock(), world.said.append)
        assert local.last_alerts() == {A: alert(99, A)}


def test_a_database_without_a_past_has_nothing_to_take_over(world: World) -> None:
    local = world.new_file(world.config(A))
    assert (local.last_time(), world.said) == (None, [])
    world.database.drop_database()
    assert (world.new_file(world.config(A)).last_time(), world.said) == (None, [])


def test_what_was_taken_over_can_be_purged_and_grows_too_old(world: World) -> None:
    world.write(down_twice(), [alert(100, A)])
    config = world.config(A, B)
    purged, kept = world.new_file(config), world.new_file(config)
    assert purged.preview(Request(A, START_MS + 10**6, forget=True)).alerts == 1
    ask_purge(purged, Request(A, START_MS + 10**6, forget=True))
    maintain(purged, START_MS + 10**6)
    assert (set(purged.downtime(EVER)), purged.last_alerts()) == ({B}, {})
    kept.append([check(10_800, OTHER)], [], 0)
    kept.set_retention(3_600_000, 10**12)
    maintain(kept, START_MS + 11_000_000)
    assert set(kept.downtime(Window(START_MS, START_MS + 11_000_000))) == {OTHER}
    assert kept.last_alerts() == {A: alert(100, A)}
