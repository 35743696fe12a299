"""Name lookups: in time, shared by those who ask at the same time, and never more threads than names need."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitoring.checks.resolver import LOOKUPS_A_NAME, LookupResult, Resolver
from monitoring.clock import SystemClock
from tests.support.waiting import eventually

ENOUGH_US = 30_000_000
ADDRESS = "192.0.2.1"


class SystemResolver:
    """In place of `getaddrinfo`: names hang until they are released."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.release = threading.Event()
        self._before = set(threading.enumerate())

    def lookups(self) -> int:
        """How many threads look up, or wait for work."""
        return sum(thread.name == "lookup" for thread in set(threading.enumerate()) - self._before)

    def look_up(self, name: str, *_: object, **__: object) -> list[object]:
        self.asked[name] += 1
        if name.startswith("hangs") and not self.release.wait(30):
            raise OSError("no server")
        return [(2, 1, 6, "", (ADDRESS, 0)), (2, 2, 17, "", (ADDRESS, 0))]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> SystemResolver:
    system = SystemResolver()
    monkeypatch.setattr("monitoring.checks.resolver.socket.getaddrinfo", system.look_up)
    return system


@pytest.fixture
def resolver(system: SystemResolver) -> Iterator[Resolver]:
    resolver = Resolver(SystemClock())
    yield resolver
    system.release.set()
    resolver.close()


def test_addresses_are_found_each_once(resolver: Resolver) -> None:
    found = resolver.look_up("good.example", ENOUGH_US)
    assert (found.addresses, found.reason, found.timed_out) == ((ADDRESS,), "", False)
    assert found.took_us > 0


def test_a_real_name_that_does_not_exist_has_a_reason() -> None:
    resolver = Resolver(SystemClock())
    found = resolver.look_up("nowhere.invalid", ENOUGH_US)
    assert found.addresses == ()
    assert found.reason
    resolver.close()


def test_a_name_that_hangs_costs_no_more_than_its_limit_and_two_threads(system: SystemResolver, resolver: Resolver) -> None:
    for _ in range(10):
        assert resolver.look_up("hangs.example", 20_000).timed_out
    assert system.asked["hangs.example"] == LOOKUPS_A_NAME
    assert system.lookups() == LOOKUPS_A_NAME
    assert resolver.look_up("good.example", ENOUGH_US).addresses == (ADDRESS,)
    system.release.set()
    eventually(lambda: resolver.look_up("hangs.example", ENOUGH_US).addresses == (ADDRESS,))


def test_those_who_ask_at_the_same_time_share_an_answer(system: SystemResolver, resolver: Resolver) -> None:
    with ThreadPoolExecutor(20) as askers:
        answers = [askers.submit(resolver.look_up, "hangs.example", ENOUGH_US) for _ in range(20)]
        eventually(lambda: system.asked["hangs.example"] == LOOKUPS_A_NAME)
        system.release.set()
        assert {answer.result().addresses for answer in answers} == {(ADDRESS,)}


def test_a_thread_looks_up_one_name_after_the_other(system: SystemResolver, resolver: Resolver) -> None:
    for number in range(50):
        resolver.look_up(f"good{number}.example", ENOUGH_US)
    assert system.lookups() <= 2  # the second one if an answer came before its thread was free again


def test_without_another_thread_the_checkers_own_one_looks_up(
    system: SystemResolver, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of threads is no fault of the site."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert resolver.look_up("good.example", ENOUGH_US).addresses == (ADDRESS,)
    assert system.lookups() == 0


def test_when_it_closes_nobody_waits_any_longer(system: SystemResolver, resolver: Resolver) -> None:
    def ask(found: Callable[[LookupResult], None]) -> None:
        found(resolver.look_up("hangs.example", ENOUGH_US))

    answers: list[LookupResult] = []
    asker = threading.Thread(target=ask, args=(answers.append,))
    asker.start()
    eventually(lambda: system.asked["hangs.example"] == 1)
    resolver.close()
    asker.join(10)
    assert [answer.timed_out for answer in answers] == [True]
    system.release.set()
    eventually(lambda: system.lookups() == 0)
