"""The network thread sleeps and is woken, by whatever this machine has for it; transfers end well, badly or not at all."""

import socket
import threading
import time

import pycurl
import pytest

from monitoring.checks import readiness
from monitoring.checks.alarms import RINGS_A_TURN, Slots
from monitoring.checks.network import Network, Transfer
from monitoring.checks.readiness import Bell, EpollReadiness, EventBell, LockBell, SelectorReadiness
from monitoring.clock import SystemClock
from monitoring.errors import CheckAbandoned
from monitoring.service import process
from tests.support.driving import running_network
from tests.support.servers import HttpServer, RawServer, closed_port, hang, response
from tests.support.waiting import eventually


@pytest.fixture(params=[True, False], ids=["Linux", "elsewhere"])
def _machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere there is neither epoll nor eventfd."""
    if not request.param:
        monkeypatch.delattr("monitoring.checks.readiness.select.epoll")
        monkeypatch.delattr("monitoring.checks.readiness.os.eventfd")


def transfer_to(url: str) -> Transfer:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.WRITEFUNCTION, lambda _: None)
    curl.setopt(pycurl.FRESH_CONNECT, 1)  # the server answers once
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.TIMEOUT_MS, 10_000)
    return Transfer(curl)


@pytest.mark.usefixtures("_machine")
def test_transfers_are_performed_one_after_the_other_and_at_the_same_time() -> None:
    with HttpServer(response(200)) as server, running_network() as network:
        codes: list[int] = []

        def perform_some() -> None:
            transfer = transfer_to(server.url())
            codes.extend(network.perform(transfer).code for _ in range(20))

        threads = [threading.Thread(target=perform_some) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bad = network.perform(transfer_to(f"http://127.0.0.1:{closed_port()}/"))
    assert codes == [0] * 200
    assert (bad.code, bool(bad.text)) == (pycurl.E_COULDNT_CONNECT, True)


@pytest.mark.usefixtures("_machine")
def test_the_thread_is_woken_when_nothing_else_happens() -> None:
    with running_network() as network:
        for _ in range(50):
            heard = threading.Event()
            network.call_soon(heard.set)
            assert heard.wait(10)


def test_this_machine_uses_what_it_has() -> None:
    assert isinstance(readiness.open_readiness(), EpollReadiness)
    assert isinstance(readiness.open_bell(), EventBell)


def test_without_descriptors_a_bell_still_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: int) -> int:
        raise OSError("too many open files")

    monkeypatch.setattr("monitoring.checks.readiness.os.eventfd", none_left)
    assert isinstance(readiness.open_bell(), LockBell)


def test_bells_leave_half_of_the_descriptors_to_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    bells = [readiness.open_bell()]
    assert isinstance(bells[0], EventBell)
    allowed = 2 * (bells[0].number + 3)
    monkeypatch.setattr(process, "allowed_files", lambda: allowed)
    bells += [readiness.open_bell() for _ in range(50)]
    assert {type(bell) for bell in bells[-20:]} == {LockBell}


@pytest.mark.parametrize("make_bell", [EventBell, LockBell])
def test_rings_end_one_wait_also_a_later_one(make_bell: type[Bell]) -> None:
    bell, woken = make_bell(), threading.Semaphore(0)

    def wait_twice() -> None:
        for _ in range(2):
            bell.wait()
            woken.release()

    bell.ring()
    bell.ring()
    threading.Thread(target=wait_twice, daemon=True).start()
    assert woken.acquire(timeout=10)
    assert not woken.acquire(timeout=0.05)
    bell.ring()
    assert woken.acquire(timeout=10)


@pytest.mark.parametrize("make_readiness", [EpollReadiness, SelectorReadiness])
def test_a_call_before_the_sleep_is_not_overlooked_and_one_after_the_end_does_nothing(
    make_readiness: type[EpollReadiness] | type[SelectorReadiness],
) -> None:
    ready = make_readiness()
    ready.wake()
    began = time.monotonic()
    assert ready.wait(10) == []
    assert time.monotonic() - began < 5
    ready.close()
    ready.wake()


def test_only_some_of_many_that_are_due_are_woken_before_answers_are_looked_at_again() -> None:
    """After a stall all of them would wait for the interpreter at once."""
    slots, woken = Slots(), list[int]()
    alarms = [Noted(number, woken) for number in range(3 * RINGS_A_TURN)]
    for number, alarm in enumerate(alarms):
        alarm.due_ns = number
        slots.add(number, alarm)  # type: ignore[arg-type]
    assert slots.next_ns() == 0
    alarms[0].due_ns = None  # set meanwhile: its checker is awake
    slots.ring_due(now_ns=len(alarms))
    assert woken == list(range(1, RINGS_A_TURN + 1))
    slots.ring_due(now_ns=RINGS_A_TURN + 2)
    assert woken == list(range(1, RINGS_A_TURN + 3))
    assert slots.next_ns() == RINGS_A_TURN + 3


class Noted:
    """An alarm that takes note of being rung."""

    def __init__(self, number: int, woken: list[int]) -> None:
        self.due_ns: int | None = None
        self.ring = lambda: woken.append(number)


def test_an_alarm_wakes_at_its_time_or_when_it_is_set_and_survives_a_crash_of_the_thread() -> None:
    def crash() -> None:
        raise SystemExit(1)

    with running_network() as network:
        alarm = network.alarm()
        assert not alarm.wait(0.01)
        results: list[bool] = []
        waits = threading.Thread(target=lambda: results.append(alarm.wait(60)), daemon=True)
        waits.start()
        alarm.set()
        waits.join(10)
        assert results == [True]
        alarm.clear()
        waits = threading.Thread(target=lambda: results.append(alarm.wait(0.1)), daemon=True)
        network.call_soon(crash)
        eventually(lambda: network.crash)
        waits.start()
        waits.join(0.2)
        assert waits.is_alive()  # nobody is there to wake it
        network.start()
        waits.join(10)
        assert results == [True, False]


def test_an_end_abandons_transfers_and_none_begins_after_it() -> None:
    network = Network(SystemClock())
    with RawServer(hang) as server:
        network.start()
        transfer, abandoned = transfer_to(server.url()), threading.Event()

        def perform() -> None:
            with pytest.raises(CheckAbandoned):
                network.perform(transfer)
            abandoned.set()

        threading.Thread(target=perform, daemon=True).start()
        heard = threading.Event()
        network.call_soon(heard.set)
        assert heard.wait(10)
        network.stop()
        assert abandoned.wait(10)
    with pytest.raises(CheckAbandoned):
        network.perform(transfer)


def test_a_handle_that_is_no_good_costs_its_own_check_only() -> None:
    with HttpServer(response(200)) as server, running_network() as network:
        closed = transfer_to(server.url())
        closed.handle.close()
        assert network.perform(closed).code == pycurl.E_FAILED_INIT
        assert network.perform(transfer_to(server.url())).code == 0


def test_a_descriptor_that_is_forgotten_but_not_closed_is_silent_and_can_be_watched_again() -> None:
    ready = EpollReadiness()
    here, there = socket.socketpair()
    try:
        ready.watch(here.fileno(), readiness.READ)
        ready.forget(here.fileno())
        there.send(b"x")
        assert ready.wait(0) == ready.wait(0) == []
        ready.watch(here.fileno(), readiness.READ)
        assert ready.wait(0) == [(here.fileno(), readiness.READ)]
        ready.forget(here.fileno())
        ready.watch(here.fileno(), readiness.WRITE)  # at once: the kernel still knows it
        assert ready.wait(0) == [(here.fileno(), readiness.WRITE)]
    finally:
        here.close()
        there.close()
        ready.close()
