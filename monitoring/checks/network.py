"""The network thread: performs the transfers of all checkers on one multi handle of libcurl.

One multi handle, because what it keeps (parsed certificates above all, about 0.5 MB) is there once, not for each site.
libcurl wants one thread to touch it: so each checker hands its transfer over, and sleeps until it has ended.
"""

import errno
import heapq
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import pycurl

from monitoring.checks.readiness import open_bell, open_readiness
from monitoring.checks.resolver import ANY, LookupResult, Resolver
from monitoring.clock import Clock
from monitoring.errors import CheckAbandoned
from monitoring.units import NS_PER_MS

JOIN_S = 3.0

RINGS_A_TURN = 8
"""How many checkers are woken for their slots before answers are looked at again: after a stall many are due."""

_WANTED = {pycurl.POLL_IN: 1, pycurl.POLL_OUT: 2, pycurl.POLL_INOUT: 3}


@dataclass(frozen=True, slots=True)
class TransferResult:
    """How a transfer ended: libcurl's code (0: well) and its words."""

    code: int = 0
    text: str = ""


_WELL = TransferResult()


class Transfer:
    """What one checker has the network thread do: `handle` is set up, performed, and set up again for the next time.

    `waited_ns` is how long the last one waited until the network thread took it.
    """

    __slots__ = ("asked_ns", "ended", "handle", "result", "waited_ns")

    def __init__(self, handle: pycurl.Curl) -> None:
        self.handle = handle
        self.result: TransferResult | None = None
        self.asked_ns = self.waited_ns = 0
        self.ended = open_bell()  # one of its own: an end wakes this checker and no other


class Alarm:
    """What one checker sleeps on: woken at a moment by the network thread, or by any thread that sets it.

    A thousand checkers with time-outs of their own would do, too; but after a stall, or while another thread computes, they
    would all wait for the interpreter at once, each looking for it every switch interval: that leaves no time for anything.
    """

    def __init__(self, slots: "Slots", clock: Clock) -> None:
        self._slots = slots
        self._clock = clock
        self._is_set = False
        self._bell = open_bell()
        self.due_ns: int | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self.ring()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float) -> bool:
        """Sleep until it is set (True) or so many seconds are over (False); now and then it wakes too early."""
        if not self._is_set:
            self.due_ns = self._clock.monotonic_ns() + int(timeout * 1e9)
            self._slots.add(self.due_ns, self)
            self._bell.wait()
        return self._is_set

    def ring(self) -> None:
        self.due_ns = None
        self._bell.ring()


class Slots:
    """When which alarm is due. It outlives a network thread that crashes: the next one goes on with it."""

    def __init__(self) -> None:
        self._order = count()
        self._added: deque[tuple[int, int, Alarm]] = deque()
        self._due: list[tuple[int, int, Alarm]] = []
        self.wakes_ns: int | None = None
        """When the network thread will look at them next, by itself."""
        self.wake: Callable[[], None] = lambda: None

    def add(self, due_ns: int, alarm: Alarm) -> None:
        """From any thread."""
        self._added.append((due_ns, next(self._order), alarm))
        if self.wakes_ns is None or due_ns < self.wakes_ns:
            self.wake()

    @property
    def has_news(self) -> bool:
        return bool(self._added)

    def next_ns(self) -> int | None:
        """When the first one is due. This and `ring_due` belong to the network thread."""
        while self._added:
            heapq.heappush(self._due, self._added.popleft())
        return self._due[0][0] if self._due else None

    def ring_due(self, now_ns: int) -> None:
        """Wake some of those that are due; each may run before the next one is woken."""
        due, rung = self._due, 0
        while due and due[0][0] <= now_ns and rung < RINGS_A_TURN:
            due_ns, _, alarm = heapq.heappop(due)
            if alarm.due_ns == due_ns:  # else it was set meanwhile
                alarm.ring()
                rung += 1


class NetworkThread(threading.Thread):
    """One life of the network thread. `crash` is what ended it, if nobody asked it to end."""

    def __init__(self, clock: Clock, slots: Slots) -> None:
        super().__init__(name="network", daemon=True)
        self._slots = slots
        self.crash: BaseException | None = None
        self._clock = clock
        self._readiness = open_readiness()
        slots.wake, slots.wakes_ns = self._readiness.wake, None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._handed_over: deque[Transfer] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._under_way: dict[pycurl.Curl, Transfer] = {}
        self._due_ns: int | None = None  # when libcurl wants to be called
        self._sleeps = self._ending = self._ended = False

    # For all threads.

    def perform(self, transfer: Transfer) -> TransferResult:
        """Wait for the end of this transfer, which has a time limit of its own. Raises `CheckAbandoned`."""
        transfer.result = None
        transfer.asked_ns = self._clock.monotonic_ns()
        self._handed_over.append(transfer)
        if self._sleeps:  # set before it looks for transfers the last time: none is overlooked
            self._readiness.wake()
        if self._ended:
            self._release_handed_over()
        transfer.ended.wait()
        if transfer.result is None:
            raise CheckAbandoned
        return transfer.result

    def call_soon(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the network thread at its next turn."""
        self._calls.append(heard)
        self._readiness.wake()

    def end(self) -> None:
        """Let it end soon; transfers under way are abandoned."""
        self._ending = True
        self._readiness.wake()

    # From here on all happens in the network thread.

    def run(self) -> None:
        try:
            while not self._ending:
                self._turn()
        except BaseException as error:  # noqa: BLE001 - told by the checkers, which start another one
            self.crash = error
        self._abandon_all()

    def _turn(self) -> None:
        """Sleep until something happens or is due, and see to it."""
        self._sleeps = True  # first: whoever comes after the last look wakes it
        ready = self._readiness.wait(self._patience_s())
        self._sleeps = False
        for fd, what in ready:
            self._act(fd, what)
        while self._calls:
            self._calls.popleft()()
        self._slots.ring_due(self._clock.monotonic_ns())
        while self._handed_over:
            self._begin(self._handed_over.popleft())
        if self._due_ns is not None and self._due_ns <= self._clock.monotonic_ns():
            self._due_ns = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)
            if self._due_ns is None:  # libcurl repeats no wish; called a little early, it would wait for ever
                self._set_timer(self._multi.timeout())

    def _patience_s(self) -> float:
        """How long there is nothing to do, as far as is known now; negative: for ever."""
        slot_ns = self._slots.next_ns()
        wakes_ns = slot_ns if self._due_ns is None else min(self._due_ns, slot_ns or self._due_ns)
        self._slots.wakes_ns = wakes_ns
        if self._handed_over or self._calls or self._ending or self._slots.has_news:
            return 0.0
        return -1.0 if wakes_ns is None else max(0.0, (wakes_ns - self._clock.monotonic_ns()) / 1e9)

    def _begin(self, transfer: Transfer) -> None:
        transfer.waited_ns = self._clock.monotonic_ns() - transfer.asked_ns
        self._under_way[transfer.handle] = transfer  # first: whatever happens, its checker hears of its end
        try:
            self._multi.add_handle(transfer.handle)
        except pycurl.error as error:  # of one site: all others go on
            del self._under_way[transfer.handle]
            transfer.result = TransferResult(pycurl.E_FAILED_INIT, str(error))
            transfer.ended.ring()

    def _watch(self, wanted: int, fd: int, _multi: object, _data: object) -> None:
        """libcurl's wish to hear of a socket, or no more."""
        if wanted == pycurl.POLL_REMOVE:
            self._readiness.forget(fd)
        else:
            self._readiness.watch(fd, _WANTED[wanted])

    def _set_timer(self, in_ms: int) -> None:
        """libcurl's wish to be called after so long; a negative one takes the last wish back."""
        self._due_ns = None if in_ms < 0 else self._clock.monotonic_ns() + in_ms * NS_PER_MS

    def _act(self, fd: int, what: int) -> None:
        _, running = self._multi.socket_action(fd, what)
        more = running < len(self._under_way)  # else none has ended
        while more:
            queued, well, badly = self._multi.info_read()
            for handle in well:
                self._finish(handle, _WELL)
            for handle, code, text in badly:
                self._finish(handle, TransferResult(code, text))
            more = queued > 0

    def _finish(self, handle: pycurl.Curl, result: TransferResult) -> None:
        self._multi.remove_handle(handle)
        transfer = self._under_way.pop(handle)
        transfer.result = result
        transfer.ended.ring()

    def _abandon_all(self) -> None:
        """Nobody waits for a transfer that will never end; the handles are free for another network thread."""
        self._ended = True
        for transfer in self._under_way.values():
            with suppress(pycurl.error):
                self._multi.remove_handle(transfer.handle)
            transfer.ended.ring()
        self._under_way.clear()
        self._multi.close()
        self._readiness.close()
        self._release_handed_over()

    def _release_handed_over(self) -> None:
        """Those that came after the end; whoever takes one out releases it."""
        while self._handed_over:
            try:
                self._handed_over.popleft().ended.ring()
            except IndexError:  # another checker was faster
                return


def sockets_are_known() -> bool:
    """Does this machine know all kinds of addresses? Then a transfer that had no socket found no descriptor for it."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.socket(family, socket.SOCK_STREAM).close()
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                return False
    return True


class Network:
    """What checks need of the network: names looked up, transfers performed. `start` again after a crash."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resolver = Resolver(clock)
        self._slots = Slots()
        self._thread: NetworkThread | None = None
        self.lacked_sockets = False

    def start(self) -> None:
        """Begin to perform transfers. Raises RuntimeError when no thread can be started."""
        thread = NetworkThread(self._clock, self._slots)
        thread.start()
        self._thread = thread

    def alarm(self) -> Alarm:
        """Something for a checker to sleep on."""
        return Alarm(self._slots, self._clock)

    def stop(self) -> None:
        """Abandon what is under way."""
        thread, self._thread = self._thread, None
        if thread:
            thread.end()
            thread.join(JOIN_S)
        self._resolver.close()

    @property
    def runs(self) -> bool:
        return self._thread is not None and self._thread.crash is None

    @property
    def crash(self) -> BaseException | None:
        """What ended the network thread, if nobody asked it to end."""
        return self._thread.crash if self._thread else None

    def look_up(self, name: str, limit_us: int, family: int = ANY) -> LookupResult:
        """Wait for the addresses of a name, at most so many microseconds; `family`: of both kinds, or of one."""
        return self._resolver.look_up(name, limit_us, family)

    def perform(self, transfer: Transfer) -> TransferResult:
        """Wait for the end of this transfer, which has a time limit of its own. Raises `CheckAbandoned`."""
        if self._thread is None:
            raise CheckAbandoned
        return self._thread.perform(transfer)

    def found_no_socket(self) -> None:
        """A check could not be made because too many files were open. For any thread."""
        self.lacked_sockets = True

    def call_soon(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the network thread at its next turn: never, if that thread stands still or has crashed."""
        if self._thread:
            self._thread.call_soon(heard)
