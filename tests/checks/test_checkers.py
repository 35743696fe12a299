"""The checkers of all sites: nothing that happens to one of them stops the others."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from monitoring.checks.checker import Prober
from monitoring.checks.checkers import MINIMUM_SPREAD_MS, Checkers, MakeProbe
from monitoring.checks.network import Network
from monitoring.checks.probe import Probe
from monitoring.clock import SystemClock
from monitoring.models import Cause, CheckResult, ProbeResult, Site
from tests.support.driving import Seeing
from tests.support.probing import assertions
from tests.support.servers import HttpServer, RawServer, pause, read_request, response
from tests.support.waiting import eventually

FINE = ProbeResult(200, 1)


def quick(then: Callable[[], object] = lambda: None) -> Prober:
    """Answers at once, after whatever else it is told to do."""

    def see() -> ProbeResult:
        then()
        return FINE

    return Seeing(see)


def quick_ones(_site: Site, _network: Network) -> Prober:
    return quick()


@contextmanager
def running(make_probe: MakeProbe, sites: Sequence[Site], found: list[CheckResult]) -> Iterator[Checkers]:
    checkers = Checkers(make_probe, found.append, SystemClock())
    checkers.start(sites)
    try:
        yield checkers
    finally:
        checkers.stop()


def sites(count: int, interval_ms: int = 20, url: str = "http://site/", timeout_ms: int = 10_000) -> list[Site]:
    return [Site(f"site {number}", url, interval_ms=interval_ms, timeout_ms=timeout_ms) for number in range(count)]


def count_of(host: str, found: Sequence[CheckResult]) -> int:
    return sum(result.host == host for result in found)


def checker_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("checker")]


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
        with running(Probe, [slow, Site("good", url, interval_ms=200)], found):
            eventually(lambda: count_of("slow", found) >= 2)
    good = [result for result in found if result.host == "good"]
    assert {result.cause for result in good} == {None}
    assert sum(result.covers_ms for result in good) == 200 * len(good)  # no slot was skipped
    assert {result.cause for result in found if result.host == "slow"} == {Cause.CONTENT}


# --- Another configuration


def test_a_site_is_never_checked_twice_at_once_while_the_configuration_changes() -> None:
    """Two hundred sites, each checked by one check at a time, whatever becomes of it meanwhile."""
    found: list[CheckResult] = []
    under_way, overlaps = dict[str, int](), list[str]()

    def make_probe(site: Site, _network: Network) -> Prober:
        def see() -> ProbeResult:
            under_way[site.host] = under_way.get(site.host, 0) + 1
            if under_way[site.host] > 1:
                overlaps.append(site.host)
            threading.Event().wait(0.01)
            under_way[site.host] -= 1
            return FINE

        return Seeing(see)

    before = sites(200, 100)
    changed = [replace(site, timeout_ms=5_000) for site in before[:100]]
    with running(make_probe, before, found) as checkers:
        eventually(lambda: len({result.host for result in found}) == 200)
        for _ in range(5):
            change = checkers.change([*changed, *before[100:150]])
            assert (len(change.added), len(change.changed), len(change.removed)) == (0, 100, 50)
            change = checkers.change(before)
            assert (len(change.added), len(change.changed), len(change.removed)) == (50, 100, 0)
        assert checkers.replace_dead() == []
        seen = len(found)
        eventually(lambda: len({result.host for result in found[seen:]}) == 200)
        assert len(checker_threads()) == 200
    assert overlaps == []
    for site in before:
        times = [result.time_ms for result in found if result.host == site.host]
        assert times == sorted(set(times))


def test_a_changed_site_ends_its_check_first_and_goes_on_in_its_own_slot() -> None:
    found: list[CheckResult] = []
    begun, release, seen_by = threading.Event(), threading.Event(), list[int]()

    def make_probe(site: Site, _network: Network) -> Prober:
        def see() -> ProbeResult:
            seen_by.append(site.timeout_ms)
            begun.set()
            if len(seen_by) == 1:
                release.wait(10)
            return FINE

        return Seeing(see)

    (site,) = sites(1, 100)
    with running(make_probe, [site], found) as checkers:
        assert begun.wait(10)
        for timeout_ms in (7_000, 8_000):  # twice while the check is under way: the last one counts
            checkers.change([replace(site, timeout_ms=timeout_ms)])
        assert found == []
        release.set()
        eventually(lambda: len(found) > 2)
    assert seen_by[:3] == [10_000, 8_000, 8_000]
    first, second = found[:2]
    assert (second.time_ms - first.time_ms) % 100 == 0
    assert second.time_ms == first.time_ms + first.covers_ms


def test_a_removed_site_that_comes_back_during_its_last_check_is_checked_on() -> None:
    found: list[CheckResult] = []
    begun, release = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        release.wait(10)

    with running(lambda *_: quick(hold), sites(1), found) as checkers:
        assert begun.wait(10)
        assert checkers.change([]).removed == ("site 0",)
        assert checkers.change(sites(1)).added == tuple(sites(1))
        assert len(checker_threads()) == 1
        release.set()
        eventually(lambda: len(found) > 3)
        checkers.change([])
        eventually(lambda: not checker_threads())
        checkers.change(sites(1))
        seen = len(found)
        eventually(lambda: len(found) > seen + 3)


def test_a_rename_or_another_rule_does_not_touch_a_checker() -> None:
    (site,) = sites(1)
    made: list[Site] = []

    def make_probe(site: Site, _network: Network) -> Prober:
        made.append(site)
        return quick()

    with running(make_probe, [site], []) as checkers:
        eventually(lambda: bool(made))
        assert checkers.change([replace(site, name="another")]).changed == ()
    assert made == [site]


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
