"""Name lookups: in time, shared by those who ask at the same time, and never more threads than names need."""

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitoring.checks.resolver import IPV4, IPV6, MOST_APART, PATIENCE_S, SILENCE_NS, LookupResult, Resolver
from monitoring.clock import SystemClock
from tests.support.clock import FakeClock
from tests.support.waiting import eventually

ENOUGH_US = 30_000_000
SILENCE_MS = SILENCE_NS // 1_000_000
ADDRESS, ADDRESS6 = "192.0.2.1", "2001:db8::1"


class SystemResolver:
    """In place of `getaddrinfo`: names hang until they are released, or only questions for IPv6 addresses do."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.release = threading.Event()
        self.answered_ipv6 = 0  # so many questions for IPv6 addresses are answered, whatever the name
        self.fails = False
        self.on_failure: Callable[[], None] = lambda: None
        self._before = set(threading.enumerate())

    def lookups(self) -> int:
        """How many threads look up, or wait for work."""
        return sum(thread.name == "lookup" for thread in set(threading.enumerate()) - self._before)

    def look_up(self, name: str, port: None, family: int, kind: int) -> list[object]:
        self.asked[name] += 1
        if family == IPV6 and self.answered_ipv6:
            self.answered_ipv6 -= 1
        elif name.startswith("hangs") or (name.startswith("no6") and family != IPV4):
            assert self.release.wait(30)
            if self.fails:
                self.on_failure()
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        found = {IPV4: [ADDRESS], IPV6: [ADDRESS6]}.get(family, [ADDRESS, ADDRESS])
        return [(family, 1, 6, "", (address, 0)) for address in found]


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


def test_a_name_that_hangs_costs_no_more_than_its_limit_and_three_threads(
    system: SystemResolver, resolver: Resolver
) -> None:
    for _ in range(10):
        assert resolver.look_up("hangs.example", 20_000).timed_out
    assert system.asked["hangs.example"] == 3, "both kinds of addresses together, and each apart"
    assert system.lookups() == 3
    assert resolver.look_up("good.example", ENOUGH_US).addresses == (ADDRESS,)
    system.release.set()
    eventually(lambda: resolver.look_up("hangs.example", ENOUGH_US).addresses == (ADDRESS,))


def test_when_no_name_server_answers_each_name_costs_one_thread(system: SystemResolver, resolver: Resolver) -> None:
    for number in range(2 * MOST_APART):
        resolver.look_up(f"hangs{number}.example", 1_000)
    assert system.lookups() == 3 * MOST_APART


def test_a_question_for_ipv6_that_is_never_answered_does_no_harm(system: SystemResolver, resolver: Resolver) -> None:
    first = resolver.look_up("no6.example", ENOUGH_US)
    second = resolver.look_up("no6.example", ENOUGH_US)
    assert first.addresses == second.addresses == (ADDRESS,)
    assert PATIENCE_S * 1e6 <= first.took_us < ENOUGH_US / 2
    assert second.took_us < first.took_us, "who comes next does not have to lose patience again"


def test_both_kinds_of_addresses_are_taken_when_both_come_late(system: SystemResolver, resolver: Resolver) -> None:
    asked = system.look_up

    def slow_together(name: str, port: None, family: int, kind: int) -> list[object]:
        return asked("hangs" if family not in (IPV4, IPV6) else name, port, family, kind)

    system.look_up = slow_together  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitoring.checks.resolver.socket.getaddrinfo", slow_together)
        patch.setattr("monitoring.checks.resolver.GRACE_S", 20.0)
        assert sorted(resolver.look_up("slow.example", ENOUGH_US).addresses) == [ADDRESS, ADDRESS6]


@pytest.mark.parametrize(("family", "address"), [(IPV4, ADDRESS), (IPV6, ADDRESS6)])
def test_one_kind_of_addresses_may_be_wanted(system: SystemResolver, resolver: Resolver, family: int, address: str) -> None:
    assert resolver.look_up("good.example", ENOUGH_US, family).addresses == (address,)
    resolver.look_up("hangs.example", 20_000, family)
    assert system.asked["hangs.example"] == 1


def test_who_comes_while_a_lookup_hangs_is_not_told_of_its_failure(system: SystemResolver, resolver: Resolver) -> None:
    """Else one trouble would be a time-out in one check, and a failure at once in the next."""
    system.answered_ipv6 = 1
    assert resolver.look_up("hangs.example", ENOUGH_US).addresses == (ADDRESS6,), "IPv6 alone; the other lookups hang"
    system.fails = True
    with ThreadPoolExecutor(1) as askers:
        answer = askers.submit(resolver.look_up, "hangs.example", ENOUGH_US)
        eventually(lambda: system.asked["hangs.example"] == 4)  # it waits, and has asked for IPv6 again
        system.release.set()
        assert answer.result().reason == "Temporary failure in name resolution"
    assert system.asked["hangs.example"] == 5, "both kinds were asked for once more"


@pytest.mark.parametrize(("after_ms", "timed_out"), [(0, False), (SILENCE_MS - 1, False), (SILENCE_MS, True)])
def test_a_resolver_that_gives_up_is_a_time_out_too(system: SystemResolver, after_ms: int, timed_out: bool) -> None:
    """What differs is who loses patience first; a name server that answers that it cannot tell does so sooner."""
    clock = FakeClock()
    system.fails, system.on_failure = True, lambda: clock.advance(after_ms / 1_000)
    system.release.set()
    found = Resolver(clock).look_up("hangs.example", ENOUGH_US)
    assert (found.addresses, found.timed_out) == ((), timed_out)
    assert bool(found.reason) is not timed_out


@pytest.mark.parametrize("name", ["localhost", "localhost.", "app.localhost", "A.B.LocalHost."])
def test_names_of_this_machine_are_asked_of_nobody(system: SystemResolver, resolver: Resolver, name: str) -> None:
    assert set(resolver.look_up(name, 0).addresses) == {"127.0.0.1", "::1"}
    assert resolver.look_up(name, 0, IPV4).addresses == ("127.0.0.1",)
    assert resolver.look_up(name, 0, IPV6).addresses == ("::1",)
    assert not system.asked
    assert resolver.look_up("notlocalhost", ENOUGH_US).addresses == (ADDRESS,)


def test_those_who_ask_at_the_same_time_share_an_answer(system: SystemResolver, resolver: Resolver) -> None:
    with ThreadPoolExecutor(20) as askers:
        answers = [askers.submit(resolver.look_up, "hangs.example", ENOUGH_US) for _ in range(20)]
        eventually(lambda: system.asked["hangs.example"] == 3)
        system.release.set()
        found = [set(answer.result().addresses) for answer in answers]
    assert all(addresses and addresses <= {ADDRESS, ADDRESS6} for addresses in found)


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
