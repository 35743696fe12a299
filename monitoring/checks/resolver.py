"""Looks names up for checkers, which can wait no longer than their check may take.

The system's resolver cannot be interrupted, so it runs in threads of its own. libcurl would do that, too, but with at most
20 threads for all transfers of a multi handle, a limit that its Python binding cannot raise: if the name servers of twenty
names hung, every other site would seem to be down.
"""

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import MappingProxyType
from typing import NamedTuple

from monitoring.clock import Clock
from monitoring.service import process
from monitoring.units import NS_PER_US

PATIENCE_S = 0.3
"""After so long without an answer, IPv4 and IPv6 addresses are also looked up separately: some name servers never answer
questions for IPv6, and the system's resolver waits for both. Checks that have less than four times
as long wait a quarter of their time."""

GRACE_S = 0.2
"""How long one of these answers waits for the other: this machine may be unable to use one kind of address alone."""

MOST_APART = 64
"""How many such lookups run at once. When no name server answers at all, more would not help."""

IDLE_THREADS = 16
"""How many idle threads are kept. More are started when they are needed, and end afterwards."""

SILENCE_NS = 1_000_000_000
"""A "temporary failure" after so long means that no name server answered; one that does not know says so at once."""

ANY, IPV4, IPV6 = socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6
_LOOPBACK: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {ANY: ("127.0.0.1", "::1"), IPV4: ("127.0.0.1",), IPV6: ("::1",)}
)


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The result of a lookup: addresses, or none and the reason in a few words.

    `timed_out`: no name server answered, no matter whether the checker or the system's resolver gave up first.
    """

    addresses: tuple[str, ...] = ()
    took_us: int = 0
    reason: str = ""
    timed_out: bool = False


class Resolver:
    """Finds the addresses of names. Many threads ask at once; those that ask for the same name share one lookup."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._questions: dict[_Key, _Question] = {}
        self._apart = 0
        self._idle = 0
        self._is_closed = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()

    def look_up(self, name: str, limit_us: int, family: int = ANY) -> LookupResult:
        """Wait at most `limit_us` for the addresses of a name; `family`: ANY, IPV4 or IPV6."""
        if _is_localhost(name):
            return LookupResult(_LOOPBACK[family])
        began_ns = self._clock.monotonic_ns()
        asker, key = _Asker(), _Key(name, family)
        is_new, is_slow = self._join(key, asker)
        if is_new:
            self._begin(_Job(key, family))
        limit_s = max(0, limit_us) / 1e6
        patience_s = 0.0 if is_slow else min(PATIENCE_S, limit_s / 4)
        if not asker.answered.acquire(timeout=patience_s):
            self._ask_apart(key)
            if not asker.answered.acquire(timeout=limit_s - patience_s):
                self._give_up(key, asker)
        took_us = (self._clock.monotonic_ns() - began_ns) // NS_PER_US
        addresses, reason = asker.answer or _UNANSWERED
        return LookupResult(addresses, took_us, reason, timed_out=not addresses and not reason)

    def close(self) -> None:
        """End idle threads and release everybody who waits. A lookup that hangs ends with the process."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, 0
            for question in self._questions.values():
                question.tell_all(None)
        for _ in range(idle):
            self._jobs.put(None)

    def _join(self, key: "_Key", asker: "_Asker") -> tuple[bool, bool]:
        """Wait with the others who asked for this name. Returns whether the lookup is new, and whether it is slow."""
        with self._lock:
            question = self._questions.setdefault(key, _Question())
            is_new = key.family not in question.under_way
            (question.askers if is_new else question.latecomers).append(asker)
            question.under_way.add(key.family)
            question.is_slow = question.is_slow and not is_new
            return is_new, question.is_slow

    def _ask_apart(self, key: "_Key") -> None:
        for family in (IPV4, IPV6) if key.family == ANY else ():
            with self._lock:
                question = self._questions.get(key)
                if question is None or family in question.under_way or self._apart >= MOST_APART:
                    continue
                question.is_slow = True
                question.under_way.add(family)
                question.apart = question.apart or _Apart()
                question.apart.found.pop(family, None)
                question.apart.both.clear()
                self._apart += 1
            self._begin(_Job(key, family))

    def _begin(self, job: "_Job") -> None:
        """Run the lookup in an idle thread, or in a new one."""
        with self._lock:
            if is_idle := self._idle > 0:
                self._idle -= 1
        if is_idle:
            self._jobs.put(job)
            return
        thread = threading.Thread(target=self._work, args=(job,), name="lookup", daemon=True)
        try:
            process.start_small(thread)
        except (RuntimeError, MemoryError):  # no thread can be started: this thread does it
            if job.is_apart:
                self._end_apart(job, ())
            else:
                self._look_up(job)

    def _give_up(self, key: "_Key", asker: "_Asker") -> None:
        with self._lock:
            if question := self._questions.get(key):
                question.leave(asker)

    def _work(self, job: "_Job | None") -> None:
        """The main function of a thread: one lookup after another."""
        while job is not None:
            self._look_up(job)
            with self._lock:
                if self._is_closed or self._idle >= IDLE_THREADS:
                    return
                self._idle += 1
            job = self._jobs.get()

    def _look_up(self, job: "_Job") -> None:
        if job.is_apart:
            self._end_apart(job, _addresses(job.key.name, job.family, self._clock)[0])
            return
        while not self._is_done(job, _addresses(job.key.name, job.family, self._clock)):
            pass

    def _end_apart(self, job: "_Job", addresses: tuple[str, ...]) -> None:
        """Answer those who wait with the addresses found so far. If there are none, they go on waiting."""
        with self._lock:
            question = self._questions[job.key]
            apart = question.apart = question.apart or _Apart()
            apart.found[job.family] = addresses
            if len(apart.found) == 2:
                apart.both.set()
        if addresses:
            apart.both.wait(GRACE_S)
        with self._lock:
            if found := sum(apart.found.values(), ()):
                question.tell_all((found, ""))
            self._apart -= 1
            self._leave(job, question)

    def _leave(self, job: "_Job", question: "_Question") -> None:
        """Remove a lookup that has ended. The caller holds the lock."""
        question.under_way.discard(job.family)
        if not question.under_way:
            del self._questions[job.key]

    def _is_done(self, job: "_Job", answer: "_Answer") -> bool:
        """Answer those who wait. False: look up again for those who asked while this lookup was in flight.

        They may use its addresses but not its failure, which is from a time before they asked.
        """
        with self._lock:
            question = self._questions[job.key]
            if answer[0]:
                question.tell_all(answer)
            elif question.tell_first(answer) and not self._is_closed:
                return False
            self._leave(job, question)
        return True


_Answer = tuple[tuple[str, ...], str]
"""The addresses of a name, or none and the reason."""

_UNANSWERED: _Answer = ((), "")


class _Key(NamedTuple):
    """What is looked up: a name, and a kind of address."""

    name: str
    family: int


class _Job(NamedTuple):
    """One lookup for those who asked for `key`. `is_apart`: of one kind of address, where they asked for both."""

    key: _Key
    family: int

    @property
    def is_apart(self) -> bool:
        return self.family != self.key.family


class _Asker:
    """A checker that waits for an answer."""

    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answer: _Answer | None = None
        self.answered = threading.Lock()
        self.answered.acquire()

    def tell(self, answer: _Answer | None) -> None:
        self.answer = answer
        self.answered.release()


@dataclass(slots=True)
class _Apart:
    """The results of the separate lookups of IPv4 and IPv6 that have ended; `both` is set when both have."""

    found: dict[int, tuple[str, ...]] = field(default_factory=dict)
    both: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Question:
    """Who waits for a name, and which lookups of it are in flight.

    `latecomers` asked while the lookup was in flight. `is_slow`: it took longer than `PATIENCE_S`.
    """

    askers: list[_Asker] = field(default_factory=list)
    latecomers: list[_Asker] = field(default_factory=list)
    under_way: set[int] = field(default_factory=set)
    is_slow: bool = False
    apart: _Apart | None = None

    def tell_all(self, answer: _Answer | None) -> None:
        self.tell_first(answer)
        self.tell_first(answer)

    def tell_first(self, answer: _Answer | None) -> bool:
        """Answer those who asked before the lookup began. Returns whether there are others, who come next."""
        for asker in self.askers:
            asker.tell(answer)
        self.askers, self.latecomers = self.latecomers, []
        return bool(self.askers)

    def leave(self, asker: _Asker) -> None:
        for waiting in (self.askers, self.latecomers):
            if asker in waiting:
                waiting.remove(asker)


def _is_localhost(name: str) -> bool:
    """Whether RFC 6761 reserves the name for this machine, so that no name server is asked."""
    labels = name.removesuffix(".").rpartition(".")
    return labels[2].lower() == "localhost"


def _addresses(name: str, family: int, clock: Clock) -> _Answer:
    """Ask the system's resolver."""
    began_ns = clock.monotonic_ns()
    try:
        entries = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if error.args[0] == socket.EAI_AGAIN and clock.monotonic_ns() - began_ns >= SILENCE_NS:
            return _UNANSWERED
        return (), str(getattr(error, "strerror", None) or error)
    except Exception as error:  # noqa: BLE001 - those who wait must be answered
        return (), type(error).__name__
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)), ""
