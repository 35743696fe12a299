"""The checkers of all sites: nothing that happens to one of them stops the others."""

import socket
import threading
import time
from collections.abc import Sequence

import pytest

from monitoring.checks.checker import Prober
from monitoring.checks.checkers import MINIMUM_SPREAD_MS, Checkers
from monitoring.checks.network import Network
from monitoring.checks.probe import Probe
from monitoring.clock import SystemClock
from monitoring.models import Cause, CheckResult, Site
from tests.support.checkers import checker_threads, count_of, quick, quick_ones, running, sites
from tests.support.probing import assertions
from tests.support.servers import HttpServer, RawServer, pause, read_request, response
from tests.support.waiting import eventually

# --- Crashes


def test_a_checker_that_crashes_is_replaced_and_the_others_never_notice() -> None:
    """Twice: once its probe cannot be made, once it raises in the middle of a check."""
    found: list[CheckResult] = []
    crashes: list[Exception] = [MemoryError("none left"), ValueError("out of order")]

    def make_probe(site: Site, _network: Network) -> Prober:
        if site.host == "site 0" and len(crashes) == 2:
            raise crashes.pop()
        return quick(lambda: _raise_next(crashes) if site.host == "site 0" else None)

    with running(make_probe, sites(2), found) as checkers:
        told: list[str] = []

        def site_0_was_checked() -> bool:
            told.extend(checkers.replace_dead())
            return count_of("site 0", found) > 0

        eventually(site_0_was_checked)
        eventually(lambda: count_of("site 1", found) > 3)
    assert told == [
        "the checker of site 0 crashed (ValueError('out of order')) and was replaced",
        "the checker of site 0 crashed (MemoryError('none left')) and was replaced",
    ]


def _raise_next(crashes: Sequence[BaseException]) -> None:
    if crashes:
        raise crashes.pop()  # type: ignore[attr-defined]


def test_a_result_that_cannot_be_taken_costs_its_own_site_one_check() -> None:
    found: list[CheckResult] = []
    crashes: list[Exception] = [OSError("no room")]

    def record(result: CheckResult) -> None:
        if result.host == "site 0":
            _raise_next(crashes)
        found.append(result)

    checkers = Checkers(quick_ones, record, SystemClock())
    checkers.start(sites(2))
    eventually(lambda: count_of("site 1", found) > 3 and not crashes)
    eventually(lambda: checkers.replace_dead() == ["the checker of site 0 crashed (OSError('no room')) and was replaced"])
    eventually(lambda: count_of("site 0", found) > 1)
    checkers.stop()


def test_when_the_network_thread_crashes_all_go_on_and_no_site_seems_to_be_down() -> None:
    """A check was under way: how that site was is not known, so nothing is recorded of it."""
    found: list[CheckResult] = []
    begun, release = threading.Event(), threading.Event()

    def crash() -> None:
        raise SystemExit(1)

    def slow(connection: socket.socket) -> None:
        read_request(connection)
        begun.set()
        release.wait(10)
        connection.sendall(response(200))

    with HttpServer(response(200)) as good, RawServer(slow) as held:
        hangs = Site("hangs", held.url(), interval_ms=100)
        with running(Probe, [hangs, *sites(3, 50, good.url())], found) as checkers:
            assert begun.wait(10)
            checkers.call_back(crash)
            eventually(lambda: checkers.replace_dead() == ["the network thread crashed (SystemExit(1)) and was replaced"])
            release.set()
            seen = len(found)
            eventually(lambda: all(count_of(site.host, found[seen:]) > 2 for site in (hangs, *sites(3))))
            assert checkers.missed > 0
    assert {result.cause for result in found} == {None}


def test_the_network_thread_is_heard_while_it_turns() -> None:
    """What the watchdog asks."""
    heard, held = threading.Event(), threading.Event()
    with running(Probe, [], []) as checkers:
        checkers.call_back(heard.set)
        assert heard.wait(10)
        heard.clear()
        checkers.call_back(lambda: held.wait(10) and None)  # it stands still
        checkers.call_back(heard.set)
        assert not heard.wait(0.2)
        held.set()
        assert heard.wait(10)


# --- What takes for ever


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

    monkeypatch.setattr("monitoring.checks.resolver.socket.getaddrinfo", look_up)
    with HttpServer(response(200)) as server:
        url = server.url(host="good.example")
        hanging = [
            Site(f"hangs {n}", f"http://hangs{n}.example{'.' * (n % 2)}/", interval_ms=200, timeout_ms=500)
            for n in range(100)
        ]
        with running(Probe, [*hanging, Site("good", url, interval_ms=100)], found):
            eventually(lambda: all(count_of(site.host, found) > 2 for site in hanging))
            threads = sum(thread.name == "lookup" for thread in threading.enumerate())
        release.set()
    assert {result.cause for result in found if result.host == "good"} == {None}
    assert {result.cause for result in found if result.host != "good"} == {Cause.TIMEOUT}
    assert threads <= 2 * len(hanging) + 17


def test_a_pattern_that_takes_for_ever_does_not_hold_up_the_others() -> None:
    found: list[CheckResult] = []
    with HttpServer(response(200, b"a" * 60 + b"!")) as server:
        url = server.url()
        slow = Site(
            "slow", url, interval_ms=500, timeout_ms=1_500, assertions=assertions(expectedPattern="(a|aa|aaa)+$(?<!x)b")
        )
        with running(Probe, [slow, Site("good", url, interval_ms=1_000)], found):
            eventually(lambda: count_of("slow", found) >= 2)
    good = [result for result in found if result.host == "good"]
    assert {result.cause for result in good} == {None}
    assert sum(result.covers_ms for result in good) == 1_000 * len(good)  # no slot was skipped
    assert {result.cause for result in found if result.host == "slow"} == {Cause.CONTENT}


# --- Order and end


def test_results_of_a_site_are_handed_on_in_order() -> None:
    found: list[CheckResult] = []
    with running(quick_ones, sites(3), found):
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


def test_a_check_that_ends_after_the_stop_is_not_recorded() -> None:
    begun, release, found = threading.Event(), threading.Event(), list[CheckResult]()

    def hold() -> None:
        begun.set()
        release.wait(10)

    with running(lambda *_: quick(hold), sites(1), found):
        assert begun.wait(10)
    assert len(checker_threads()) == 1  # left behind, not waited for
    release.set()
    eventually(lambda: not checker_threads())
    assert found == []


@pytest.mark.timing
def test_two_thousand_checks_that_hang_are_left_behind() -> None:
    """It takes 1.8 s where nothing else runs, and 2.6 on a bad day: the limit only tells leaving from waiting (120 s)."""
    under_way = threading.Semaphore(0)

    def hang(connection: socket.socket) -> None:
        under_way.release()
        _hold(connection)

    found: list[CheckResult] = []
    with RawServer(hang) as server:
        checkers = Checkers(Probe, found.append, SystemClock())
        checkers.start(sites(2_000, MINIMUM_SPREAD_MS, server.url(), timeout_ms=120_000))  # none ends by itself meanwhile
        for _ in range(2_000):
            assert under_way.acquire(timeout=20)
        began = time.monotonic()
        checkers.stop()
        assert time.monotonic() - began < 20
    assert found == []
    eventually(lambda: not checker_threads())
    assert not any(thread.name == "network" for thread in threading.enumerate())
