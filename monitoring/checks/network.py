"""The network thread performs the transfers of all checkers on one multi handle of libcurl.

With one multi handle the parsed certificates (about 0.5 MB) are in memory once, not once a site. libcurl allows only one
thread to use it, so each checker hands its transfer over and sleeps until it has ended.
"""

import errno
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pycurl

from monitoring.checks.alarms import Alarm, Slots
from monitoring.checks.readiness import open_bell, open_readiness
from monitoring.checks.resolver import ANY, LookupResult, Resolver
from monitoring.clock import Clock
from monitoring.errors import CheckAbandoned
from monitoring.units import NS_PER_MS, NS_PER_S

JOIN_S = 3.0

LOOKS_A_SECOND = 50
"""How many checks may keep the certificates that they receive. If all first checks of 1000 sites did, memory would stay 8 MB
higher: gaps between other things that fit nothing."""

_WANTED = {pycurl.POLL_IN: 1, pycurl.POLL_OUT: 2, pycurl.POLL_INOUT: 3}


@dataclass(frozen=True, slots=True)
class TransferResult:
    """How a transfer ended: libcurl's code (0: success) and its message."""

    code: int = 0
    text: str = ""


_WELL = TransferResult()


class Transfer:
    """The transfer of one checker, which prepares `handle` anew before each time the network thread performs it.

    `waited_ns` is how long the last transfer waited until the network thread began it.
    """

    __slots__ = ("asked_ns", "ended", "handle", "result", "waited_ns")

    def __init__(self, handle: pycurl.Curl) -> None:
        self.handle = handle
        self.result: TransferResult | None = None
        self.asked_ns = self.waited_ns = 0
        self.ended = open_bell()  # its own, so that an end wakes this checker only


class NetworkThread(threading.Thread):
    """The network thread, until it ends or crashes. `crash` is the exception that ended it, if there was one."""

    def __init__(self, clock: Clock, slots: Slots) -> None:
        super().__init__(name="network", daemon=True)
        self._slots = slots
        self.crash: BaseException | None = None
        self._clock = clock
        self._readiness = open_readiness()
        slots.wake, slots.wakes_ns = self._readiness.wake, None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._handed_over: deque[Transfer] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._under_way: dict[pycurl.Curl, Transfer] = {}
        self._sleeps = self._ending = self._ended = False

    # These methods may be called from any thread.

    def perform(self, transfer: Transfer) -> TransferResult:
        """Wait for the end of this transfer, which has a time limit of its own. Raises `CheckAbandoned`."""
        transfer.result = None
        transfer.asked_ns = self._clock.monotonic_ns()
        self._handed_over.append(transfer)
        if self._sleeps:  # set before its last look for transfers, so that none is overlooked
            self._readiness.wake()
        if self._ended:
            self._release_handed_over()
        transfer.ended.wait()
        if transfer.result is None:
            raise CheckAbandoned
        return transfer.result

    def call_soon(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the network thread soon."""
        self._calls.append(heard)
        self._readiness.wake()

    def end(self) -> None:
        """Let the thread end soon; transfers in flight are abandoned."""
        self._ending = True
        self._readiness.wake()

    # Everything below runs in the network thread.

    def run(self) -> None:
        try:
            while not self._ending:
                self._turn()
        except BaseException as error:  # noqa: BLE001 - `Checkers` reports it and starts a new thread
            self.crash = error
        self._abandon_all()

    def _turn(self) -> None:
        """Sleep until something happens or is due, then handle it."""
        self._sleeps = True  # first: a transfer that comes after the last look wakes this thread
        ready = self._readiness.wait(self._patience_s())
        self._sleeps = False
        for fd, what in ready:
            self._act(fd, what)
        while self._calls:
            self._calls.popleft()()
        self._slots.ring_due(self._clock.monotonic_ns())
        while self._handed_over:
            self._begin(self._handed_over.popleft())
        if self._multi.timeout() == 0:
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _patience_s(self) -> float:
        """How long there is nothing to do, as far as is known; negative: until something wakes the thread."""
        slot_ns, due_ms = self._slots.next_ns(), self._multi.timeout()
        due_ns = None if due_ms < 0 else self._clock.monotonic_ns() + due_ms * NS_PER_MS
        wakes_ns = slot_ns if due_ns is None else min(due_ns, slot_ns or due_ns)
        self._slots.wakes_ns = wakes_ns
        if self._handed_over or self._calls or self._ending or self._slots.has_news:
            return 0.0
        return -1.0 if wakes_ns is None else max(0.0, (wakes_ns - self._clock.monotonic_ns()) / 1e9)

    def _begin(self, transfer: Transfer) -> None:
        transfer.waited_ns = self._clock.monotonic_ns() - transfer.asked_ns
        self._under_way[transfer.handle] = transfer  # first, so that its checker is told of the end in any case
        try:
            self._multi.add_handle(transfer.handle)
        except pycurl.error as error:  # concerns one site; the others go on
            del self._under_way[transfer.handle]
            transfer.result = TransferResult(pycurl.E_FAILED_INIT, str(error))
            transfer.ended.ring()

    def _watch(self, wanted: int, fd: int, _multi: object, _data: object) -> None:
        """libcurl asks to watch a socket, or to stop watching it."""
        if wanted == pycurl.POLL_REMOVE:
            self._readiness.forget(fd)
        else:
            self._readiness.watch(fd, _WANTED[wanted])

    def _act(self, fd: int, what: int) -> None:
        _, running = self._multi.socket_action(fd, what)
        more = running < len(self._under_way)  # otherwise none has ended
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
        """Release everybody who waits for a transfer, and free the handles for another network thread."""
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
        """Release those that were handed over after the end. The thread that takes one out releases it."""
        while self._handed_over:
            try:
                self._handed_over.popleft().ended.ring()
            except IndexError:  # another checker was faster
                return


def sockets_are_known() -> bool:
    """Whether this machine supports IPv4 and IPv6; then a transfer without a socket lacked a file descriptor."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.socket(family, socket.SOCK_STREAM).close()
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                return False
    return True


class Network:
    """What checks need of the network: it looks names up and performs transfers. `start` it again after a crash."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resolver = Resolver(clock)
        self._slots = Slots()
        self._thread: NetworkThread | None = None
        self._looks = (0, 0)  # a second of the clock, and how many checks have kept their certificates in it
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
        """Abandon what is in flight."""
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
        """The exception that ended the network thread, if there was one."""
        return self._thread.crash if self._thread else None

    def look_up(self, name: str, limit_us: int, family: int = ANY) -> LookupResult:
        """Wait at most `limit_us` for the addresses of a name; `family`: ANY, IPV4 or IPV6."""
        return self._resolver.look_up(name, limit_us, family)

    def perform(self, transfer: Transfer) -> TransferResult:
        """Wait for the end of this transfer, which has a time limit of its own. Raises `CheckAbandoned`."""
        if self._thread is None:
            raise CheckAbandoned
        return self._thread.perform(transfer)

    def may_keep_certificates(self) -> bool:
        """Whether one more check may keep its certificates now; otherwise a later one may. Any thread may call this."""
        now_s, (second, looks) = self._clock.monotonic_ns() // NS_PER_S, self._looks
        looks = looks + 1 if now_s == second else 1
        self._looks = now_s, looks  # two threads at once may count one look: the limit is a rough one
        return looks <= LOOKS_A_SECOND

    def found_no_socket(self) -> None:
        """Note that a check could not be made because too many files were open. Any thread may call this."""
        self.lacked_sockets = True

    def call_soon(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the network thread soon, unless that thread is stuck or has crashed."""
        if self._thread:
            self._thread.call_soon(heard)
