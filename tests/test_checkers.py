"""The checkers of all sites in one thread: nothing that happens to one of them stops the others."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from monitoring.checks.checkers import MINIMUM_SPREAD_MS, CheckerPool, Prober
from monitoring.checks.probe import Probe
from monitoring.clock import SystemClock
from monitoring.models import Cause, CheckResult, ProbeResult, Site
from monitoring.steps import Check
from tests.support.driving import at_once
from tests.support.servers import HttpServer, RawServer, pause, read_request, response
from tests.support.waiting import eventually


class Quick:
    """Keeps `Prober`: answers at once, or does what it is told instead."""

    def __init__(self, instead: Callable[[], None] = lambda: None) -> None:
        self._instead = instead

    def check(self) -> Check:
        def see() -> ProbeResult:
            self._instead()
            return ProbeResult(200, 1)

        return at_once(see)

    def close(self) -> None: ...


@contextmanager
def running(make_probe: Callable[[Site], Prober], sites: Sequence[Site], found: list[CheckResult]) -> Iterator[CheckerPool]:
    pool = CheckerPool(make_probe, found.append, SystemClock())
    pool.start(sites)
    try:
        yield pool
    finally:
        pool.stop()


def sites(count: int, interval_ms: int = 20, url: str = "http://site/", timeout_ms: int = 10_000) -> list[Site]:
    return [Site(f"site {number}", url, interval_ms=interval_ms, timeout_ms=timeout_ms) for number in range(count)]


def count_of(host: str, found: Sequence[CheckResult]) -> int:
    return sum(result.host == host for result in found)


def test_a_checker_that_dies_is_replaced_and_the_others_never_notice() -> None:
    """Twice: once its probe cannot be made, once it raises in the middle of a check."""
    found: list[CheckResult] = []
    deaths: list[Exception] = [MemoryError("none left"), ValueError("out of order")]

    def make_probe(site: Site) -> Prober:
        if site.host == "site 0" and len(deaths) == 2:
            raise deaths.pop()
        return Quick(lambda: _raise_next(deaths) if site.host == "site 0" else None)

    with running(make_probe, sites(2), found) as pool:
        told: list[str] = []

        def site_0_was_checked() -> bool:
            told.extend(pool.replace_dead())
            return count_of("site 0", found) > 0

        eventually(site_0_was_checked)
        eventually(lambda: count_of("site 1", found) > 3)
    assert told == [
        "the checker of site 0 died (ValueError('out of order')) and was replaced",
        "the checker of site 0 died (MemoryError('none left')) and was replaced",
    ]


def _raise_next(deaths: list[Exception]) -> None:
    if deaths:
        raise deaths.pop()


def test_a_result_that_cannot_be_taken_costs_its_own_site_one_check() -> None:
    found: list[CheckResult] = []
    deaths: list[Exception] = [OSError("no room")]

    def record(result: CheckResult) -> None:
        if result.host == "site 0":
            _raise_next(deaths)
        found.append(result)

    pool = CheckerPool(lambda _: Quick(), record, SystemClock())
    pool.start(sites(2))
    eventually(lambda: count_of("site 1", found) > 3 and not deaths)
    eventually(lambda: pool.replace_dead() == ["the checker of site 0 died (OSError('no room')) and was replaced"])
    eventually(lambda: count_of("site 0", found) > 1)
    pool.stop()


def test_when_the_thread_itself_dies_all_go_on_in_another() -> None:
    """SystemExit is no `Exception`: it ends the thread, as a lack of memory in the loop would."""
    found: list[CheckResult] = []
    deaths: list[BaseException] = [SystemExit(1)]

    def die_once() -> None:
        if deaths:
            raise deaths.pop()

    with running(lambda _: Quick(die_once), sites(3), found) as pool:
        eventually(lambda: pool.replace_dead() == ["the checkers died (SystemExit(1)) and were replaced"])
        eventually(lambda: all(count_of(f"site {number}", found) > 2 for number in range(3)))


def test_a_site_that_hangs_does_not_disturb_the_others() -> None:
    found: list[CheckResult] = []
    with RawServer(_hold) as silent, HttpServer(response(200)) as good:
        hangs = Site("hangs", silent.url(), interval_ms=50, timeout_ms=60_000)
        with running(Probe, [hangs, *sites(4, 50, good.url())], found):
            eventually(lambda: all(count_of(f"site {number}", found) >= 5 for number in range(4)))
    assert count_of("hangs", found) == 0
    assert {result.cause for result in found} == {None}


def _hold(connection: socket.socket) -> None:
    read_request(connection)
    pause(connection, 30)


def test_names_whose_servers_hang_do_not_keep_other_names_from_being_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred of them: far more than libcurl's own resolver has threads. Only the system's resolver is replaced."""
    release, found = threading.Event(), list[CheckResult]()

    def look_up(name: str, *_: object, **__: object) -> list[object]:
        if name.startswith("hangs"):
            release.wait(30)
            raise OSError("no server")
        return [(2, 1, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr("monitoring.engine.resolver.socket.getaddrinfo", look_up)
    with HttpServer(response(200)) as server:
        url = server.url(host="good.example")
        hanging = [Site(f"hangs {n}", f"http://hangs{n}.example/", interval_ms=200, timeout_ms=500) for n in range(100)]
        with running(Probe, [*hanging, Site("good", url, interval_ms=100)], found):
            eventually(lambda: all(count_of(site.host, found) > 1 for site in hanging))
            threads = sum(thread.name == "worker" for thread in threading.enumerate())
        release.set()
    assert {result.cause for result in found if result.host == "good"} == {None}
    assert {result.cause for result in found if result.host != "good"} == {Cause.TIMEOUT}
    assert threads <= 2 * len(hanging) + 17


def test_a_pattern_that_takes_for_ever_does_not_hold_up_the_others() -> None:
    found: list[CheckResult] = []
    with HttpServer(response(200, b"a" * 60 + b"!")) as server:
        url = server.url()
        slow = Site("slow", url, interval_ms=500, timeout_ms=1_500, expected_pattern="(a|aa|aaa)+$(?<!x)b")
        with running(Probe, [slow, Site("good", url, interval_ms=200)], found):
            eventually(lambda: count_of("slow", found) >= 2)
    good = [result for result in found if result.host == "good"]
    assert {result.cause for result in good} == {None}
    assert sum(result.covers_ms for result in good) == 200 * len(good)  # no slot was skipped
    assert {result.cause for result in found if result.host == "slow"} == {Cause.CONTENT}


def test_results_of_a_site_are_handed_on_in_order() -> None:
    found: list[CheckResult] = []
    with running(lambda _: Quick(), sites(3), found):
        eventually(lambda: len(found) >= 30)
    for host in ("site 0", "site 1", "site 2"):
        times = [result.time_ms for result in found if result.host == host]
        assert times == sorted(set(times))


def test_stopping_lets_checks_under_way_end() -> None:
    begun, found = threading.Event(), list[CheckResult]()

    def slow(connection: socket.socket) -> None:
        read_request(connection)
        begun.set()
        pause(connection, 0.3)
        connection.sendall(response(200))

    with RawServer(slow) as server, running(Probe, sites(1, 60_000, server.url()), found):
        assert begun.wait(10)
    assert [result.cause for result in found] == [None]


def test_two_thousand_checks_that_hang_are_left_behind_in_two_seconds() -> None:
    under_way = threading.Semaphore(0)

    def hang(connection: socket.socket) -> None:
        under_way.release()
        _hold(connection)

    found: list[CheckResult] = []
    with RawServer(hang) as server:
        pool = CheckerPool(Probe, found.append, SystemClock())
        pool.start(sites(2_000, MINIMUM_SPREAD_MS, server.url(), timeout_ms=120_000))  # none ends by itself meanwhile
        for _ in range(2_000):
            assert under_way.acquire(timeout=20)
        began = time.monotonic()
        pool.stop()
        assert time.monotonic() - began < 2
    assert found == []
    assert not any(thread.name == "checkers" for thread in threading.enumerate())
