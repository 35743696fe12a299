"""A local file that is new goes on where the one before it ended: what it takes over from InfluxDB and through a gateway."""

import socket
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

import pytest

from monitoring import stats
from monitoring.config import Config, parse_config
from monitoring.errors import StoreUnavailable
from monitoring.gateway.database import Databases
from monitoring.models import Cause, CheckResult, Streak, Window
from monitoring.states import advance
from monitoring.store import purge, takeover
from monitoring.store.choosing import database_address
from monitoring.store.forwarder import Forwarder
from monitoring.store.influx import InfluxStore
from monitoring.store.journal import Journal
from monitoring.store.local import LocalStore
from monitoring.store.memory import MemoryReader
from monitoring.store.opening import open_database, take_over_past
from monitoring.store.purge import Request
from tests.support.clock import FakeClock
from tests.support.gateway import serving
from tests.support.influxd import Influxd, free_port
from tests.support.memory_store import MemoryStore
from tests.support.points import EVER, START_MS, alert, check, checks, recovery
from tests.support.streaks import streaks_of

A, B, OTHER = "http://a", "http://b", "http://elsewhere"
NOW_S = 600
WINDOW_S = 120


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
        opened = InfluxStore(
            host=self.server.host, port=self.server.port, database=self.name, location=location, read_timeout=60
        )
        return self.stack.enter_context(closing(opened))

    def config(self, *urls: str, **settings: object) -> Config:
        data = {"websites": [{"URL": url} for url in urls], "database": self.address, **settings}
        if self.location:
            data["location"] = self.location
        return parse_config(data, source="config.json", environ={}, path=self.folder / "config.json")

    def new_file(self, config: Config, clock: FakeClock | None = None) -> LocalStore:
        """The local file of a monitor that starts at `NOW_S`."""
        local = self.stack.enter_context(closing(LocalStore(self.folder / f"{uuid.uuid4()}.db")))
        clock = clock or FakeClock(START_MS + NOW_S * 1_000)
        take_over_past(local, config, database_address(config), clock, self.said.append)
        return local


@pytest.fixture(params=["influxdb", "gateway", "influxdb, at a location", "gateway, at a location"])
def world(request: pytest.FixtureRequest, influxd: Influxd, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        name = f"past{uuid.uuid4().hex}"
        location = "paris" if "location" in request.param else ""
        found = World(stack, influxd, name, influxd.url(name), tmp_path, location)
        found.database.prove("the file before")
        stack.callback(found.database.drop_database)
        if "gateway" in request.param:
            databases = stack.enter_context(closing(Databases(found.at, 9)))
            found.address = f"gateway+http://127.0.0.1:{stack.enter_context(serving(databases))}"
        yield found


def down_twice() -> list[CheckResult]:
    """Up to `NOW_S`: A fails from 510 to 524 and from 590 on, B never."""
    failing = [*range(510, 526, 2), *range(590, NOW_S, 2)]
    good = [second for second in range(0, NOW_S, 2) if second not in failing]
    found = [*checks(good, A), *checks(failing, A, Cause.DNS), *checks(range(1, NOW_S, 2), B)]
    return sorted(found, key=lambda one: (one.time_ms, one.host))


def window_before(second: float) -> Window:
    return Window.before(START_MS + round(second * 1_000), WINDOW_S * 1_000)


def test_alerts_are_decided_as_if_the_file_had_not_been_lost(world: World) -> None:
    written = down_twice()
    world.database.write(written, [])
    local = world.new_file(world.config(A, B))
    own = checks(range(NOW_S + 6, NOW_S + 20, 2), A, Cause.DNS)
    local.write(own, [])
    window, both = window_before(NOW_S + 20), [*written, *own]
    within = [one for one in both if one.time_ms >= START_MS + (NOW_S - WINDOW_S) * 1_000]
    assert window.from_ms >= within[0].time_ms
    assert local.downtime(window) == stats.downtime(both, window)
    assert local.downtime(window, [A]) == stats.downtime(both, window, [A])
    assert local.failures(window, [A, B]) == stats.failures(both, window, [A, B])
    assert world.said == []


def test_it_is_so_after_a_restart_and_when_its_minutes_are_packed_and_while_it_cannot_be_written(world: World) -> None:
    written = down_twice()
    world.database.write(written, [alert(NOW_S - 2, A)])
    new = world.new_file(world.config(A, B))
    new.close()
    with closing(LocalStore(new.path)) as local:
        own = checks(range(NOW_S + 6, NOW_S + 20, 2), A, Cause.DNS)
        local.write(own[:4], [])
        journal = Journal(local, FakeClock(), lambda: None)
        for one in own[4:]:
            journal.append(one)
        reader, window, both = MemoryReader(local, journal), window_before(NOW_S + 20), [*written, *own]
        while local.pack(START_MS + 10**6):
            pass
        assert reader.downtime(window) == stats.downtime(both, window)
        assert reader.failures(window, [A]) == stats.failures(both, window, [A])
        assert local.last_alerts() == {A: alert(NOW_S - 2, A)}


def test_the_newest_alert_of_each_site_is_known_and_where_each_stands(world: World) -> None:
    written = down_twice()
    world.database.write(written, [alert(100, A), recovery(300, A), alert(NOW_S - 2, A), alert(5, B), recovery(400, B)])
    local = world.new_file(world.config(A, B))
    assert local.last_alerts() == {A: alert(NOW_S - 2, A), B: recovery(400, B)}
    assert {one.host: one for one in local.newest_alerts()} == local.last_alerts()
    found = local.histories()
    assert found.keys() == {A, B}
    for host, history in found.items():
        lived = reduce(advance, [one for one in written if one.host == host], None)
        assert lived
        good_since_ms = lived.good_since_ms if lived.last_available else None  # of a site that fails nobody asks it
        assert history == replace(lived, good_since_ms=good_since_ms)


def test_nothing_of_it_is_a_check_of_this_file_or_sent_to_the_database(world: World) -> None:
    """Also when the database, which does not know the new file yet, is to have all that is in it."""
    written, told = down_twice(), [alert(100, A), recovery(300, A), alert(NOW_S - 2, A)]
    world.database.write(written, told)
    local = world.new_file(world.config(A, B))
    assert local.pending() == (0, None)
    assert not local.results(EVER)
    assert not local.stats(EVER)
    local.write([check(NOW_S + 6, A)], [])
    assert local.requeue() == 1
    delivery = local.next_delivery(10_000)
    assert delivery
    assert (delivery.results, delivery.alerts) == ((check(NOW_S + 6, A),), ())
    remote = world.stack.enter_context(closing(open_database(database_address(world.config(A)), 60, world.location)))
    forwarder = Forwarder(local, remote, FakeClock())
    while forwarder.step():
        pass
    assert local.pending() == (0, None)
    assert world.database.results(EVER) == [*written, check(NOW_S + 6, A)]
    assert world.database.alerts(EVER) == told


def test_only_the_sites_of_the_configuration_and_only_this_location_count(world: World) -> None:
    world.database.write([*down_twice(), *checks([598], OTHER, Cause.DNS)], [alert(100, A), alert(599, OTHER)])
    world.at("tokyo").write(checks(range(500, NOW_S, 2), B, Cause.DNS), [alert(550, B)])
    local = world.new_file(world.config(A, B))
    assert local.last_alerts() == {A: alert(100, A)}
    assert local.failures(EVER, [A, B, OTHER]).keys() == {A}
    assert set(local.hosts()) == {A, B}


def test_times_begin_after_all_that_is_stored(world: World) -> None:
    """Also of other sites; and what the clock of the monitor before had called the future is the past."""
    ahead_s = NOW_S + 3_600
    world.database.write([check(ahead_s, A, Cause.DNS), check(ahead_s + 9, OTHER)], [])
    clock = FakeClock(START_MS + NOW_S * 1_000)
    local = world.new_file(world.config(A, B), clock)
    assert clock.now_ms() == START_MS + (ahead_s + 9) * 1_000 + 1
    assert local.failures(window_before(ahead_s + 9), [A, OTHER]).keys() == {A}


def test_a_file_that_has_something_takes_nothing_over(world: World) -> None:
    world.database.write(down_twice(), [alert(100, A)])
    config, clock = world.config(A, B), FakeClock()
    local = world.stack.enter_context(closing(LocalStore(world.folder / "old.db")))
    local.write([check(1, A)], [])
    take_over_past(local, config, database_address(config), clock, world.said.append)
    assert (local.last_alerts(), set(local.failures(EVER, [A]))) == ({}, set())
    assert clock.now_ms() == START_MS + 1_001


def test_a_database_without_a_past_has_nothing_to_take_over(world: World) -> None:
    local = world.new_file(world.config(A))
    assert (local.last_time(), world.said) == (None, [])
    world.database.drop_database()
    assert (world.new_file(world.config(A)).last_time(), world.said) == (None, [])


def test_what_was_taken_over_can_be_purged_and_grows_too_old(world: World) -> None:
    world.database.write(down_twice(), [alert(100, A)])
    config = world.config(A, B)
    purged, kept = world.new_file(config), world.new_file(config)
    with closing(sqlite3.connect(purged.path)) as connection, connection:
        assert purge.survey(connection, Request(A, START_MS + 10**6, forget=True)).checks == 60
        purge.ask(connection, Request(A, START_MS + 10**6, forget=True))
    while purged.purge(START_MS + 10**6):
        pass
    assert (set(purged.downtime(EVER)), purged.last_alerts()) == ({B}, {})
    while kept.retain(START_MS + 7_200_000, START_MS):
        pass
    assert not kept.downtime(EVER)
    assert kept.last_alerts() == {A: alert(100, A)}


# A database that does not answer


def config_of(folder: Path, database: str | None) -> Config:
    data = {"websites": [{"URL": A}], **({"database": database} if database else {})}
    return parse_config(data, source="config.json", environ={}, path=folder / "config.json")


def start(local: LocalStore, config: Config, monkeypatch: pytest.MonkeyPatch, port: int | None = None) -> list[str]:
    said: list[str] = []
    address = database_address(config)
    take_over_past(local, config, replace(address, port=port or address.port), FakeClock(), said.append)
    return said


@pytest.mark.parametrize("kind", ["influxdb://127.0.0.1:{}/monitoring", "gateway+http://127.0.0.1:{}", None])
def test_a_database_that_hangs_is_not_waited_for(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    """Not the default one either: somebody is there, and may know of open alerts."""
    monkeypatch.setattr(takeover, "DEADLINE_MS", 300)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = start(local, config_of(tmp_path, kind and kind.format(port)), monkeypatch, port)
    assert said == ["the past of these sites is known not at all, an alert may be repeated: it took longer than 0.3 s"]


def test_a_database_that_is_away_is_said_to_be_so_if_it_was_meant_to_be_there(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    named = config_of(tmp_path, f"influxdb://127.0.0.1:{port}/monitoring")
    (line,) = start(local, named, monkeypatch)
    assert line.endswith(f"InfluxDB at 127.0.0.1:{port} does not answer")
    assert start(local, config_of(tmp_path, None), monkeypatch, port) == []


class Database(MemoryStore):
    """Knows its sites, and streaks too; `on_results` is called when checks are asked for."""

    def __init__(self, on_results: Callable[[], object]) -> None:
        super().__init__()
        self._on_results = on_results

    def is_known(self) -> bool:
        return True

    def streaks(self, before_ms: int) -> dict[str, Streak]:
        return streaks_of(self._results, before_ms)

    def results(self, window: Window) -> Sequence[CheckResult]:
        if window.length_ms == takeover.CHECKS_AT_ONCE_MS:
            self._on_results()
        return super().results(window)


def filled(on_results: Callable[[], object]) -> Database:
    database = Database(on_results)
    for point in (*down_twice(), alert(100, A)):
        database.record(point)
    return database


def parts_within(patience_ms: int, database: Database, folder: Path) -> tuple[list[takeover.PastOfSites], str]:
    """What came in time, and what was said then."""
    found: list[takeover.PastOfSites] = []
    parts = takeover.ask(database, config_of(folder, None).sites, START_MS + NOW_S * 1_000)
    try:
        for part in takeover.within(patience_ms, FakeClock(), parts):
            found.append(part)
    except StoreUnavailable as error:
        return found, str(error)
    return found, ""


def test_when_time_is_up_the_most_important_is_there(tmp_path: Path) -> None:
    """First open alerts, then where each site stands, then the newest checks."""
    over = threading.Event()
    asked = iter((False, True))
    found, error = parts_within(2_000, filled(lambda: next(asked) and over.wait()), tmp_path)
    over.set()
    assert error == "it took longer than 2 s"
    assert [bool(part.alerts) for part in found] == [True, False, False]
    assert [set(part.histories) for part in found] == [set(), {A}, set()]
    assert [one.time_ms for one in found[2].checks] == [START_MS + second * 1_000 for second in range(540, NOW_S, 2)]


def test_an_answer_that_nobody_understands_does_not_keep_the_monitor_from_starting(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("odd")

    found, error = parts_within(10_000, filled(fail), tmp_path)
    assert (len(found), error) == (2, "ValueError: odd")


def test_the_whole_alert_window_is_read_however_long_it_is(tmp_path: Path) -> None:
    database, sites = filled(lambda: None), config_of(tmp_path, None).sites
    for window_s in (1, 60, 61, 120, 400):
        rule = replace(sites[0].rule, window_ms=window_s * 1_000)
        parts = takeover.ask(database, [replace(sites[0], rule=rule)], START_MS + NOW_S * 1_000)
        found = sorted(one.time_ms for part in parts for one in part.checks)
        wanted = [one for one in down_twice() if one.host == A and one.time_ms >= START_MS + (NOW_S - window_s) * 1_000]
        assert found == [one.time_ms for one in wanted]
