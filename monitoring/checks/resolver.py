"""Looks names up, for checkers that can wait no longer than their check may take.

The system's resolver cannot be interrupted, so it is asked in threads of its own. libcurl would do that too, but with at
most 20 threads for all transfers of a multi handle, a limit that its Python binding cannot raise: twenty names whose
servers hang, and every other site would seem to be down.
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
"""After so long without an answer the two kinds of addresses are also asked for apart: some name servers never answer the
question for IPv6, and the system's resolver waits for both answers. A quarter of the time there is, where that is less."""

GRACE_S = 0.2
"""How much longer one of these answers waits for the other: the addresses of one kind alone may be of no use here."""

MOST_APART = 64
"""How many such lookups there are at once: when no name server answers at all, they help nobody."""

IDLE_THREADS = 16
"""How many threads are kept for later; more come when needed, and go again."""

SILENCE_NS = 1_000_000_000
"""A "temporary failure" after so long means that no name server has answered; one that cannot tell says so at once."""

ANY, IPV4, IPV6 = socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6
_LOOPBACK: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {ANY: ("127.0.0.1", "::1"), IPV4: ("127.0.0.1",), IPV6: ("::1",)}
)


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What a lookup brought: addresses, or none and why (in few words).

    `timed_out`: no name server answered, whether the asker or the system's resolver was the first to give up.
    """

    addresses: tuple[str, ...] = ()
    took_us: int = 0
    reason: str = ""
    timed_out: bool = False


class Resolver:
    """Finds the addresses of names; asked by many threads at once, which share an answer to the same name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._questions: dict[_Key, _Question] = {}
        self._apart = 0
        self._idle = 0
        self._is_closed = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()

    def look_up(self, name: str, limit_us: int, family: int = ANY) -> LookupResult:
        """Wait for the addresses of a name, at most so many microseconds; `family`: ANY, or only IPV4 or IPV6."""
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
        """End the threads that wait for work, and let nobody wait any longer; a lookup that hangs ends with the process."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, 0
            for question in self._questions.values():
                question.tell_all(None)
        for _ in range(idle):
            self._jobs.put(None)

    def _join(self, key: "_Key", asker: "_Asker") -> tuple[bool, bool]:
        """Wait with the others for this name: does nobody look it up yet, and has somebody waited for long?"""
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
        """Look up in a thread that waits for work, or in a new one."""
        with self._lock:
            if is_idle := self._idle > 0:
                self._idle -= 1
        if is_idle:
            self._jobs.put(job)
            return
        thread = threading.Thread(target=self._work, args=(job,), name="lookup", daemon=True)
        try:
            process.start_small(thread)
        except (RuntimeError, MemoryError):  # no thread is to be had: better late than never
            if job.is_apart:
                self._end_apart(job, ())
            else:
                self._look_up(job)

    def _give_up(self, key: "_Key", asker: "_Asker") -> None:
        with self._lock:
            if question := self._questions.get(key):
                question.leave(asker)

    def _work(self, job: "_Job | None") -> None:
        """A thread's life: one lookup after the other."""
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
        """Tell those who wait all that is known now, or in a moment. Nothing is known if nothing was found: they wait on."""
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
        """This lookup has ended; the lock is held."""
        question.under_way.discard(job.family)
        if not question.under_way:
            del self._questions[job.key]

    def _is_done(self, job: "_Job", answer: "_Answer") -> bool:
        """Tell those who wait; False: look up once more, for those who came while this lookup was under way.

        They get its addresses, but not its failure: it tells of a time when nobody of them had asked.
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
"""The addresses of a name, or none and why."""

_UNANSWERED: _Answer = ((), "")


class _Key(NamedTuple):
    """What is asked: a name, and which kind of addresses."""

    name: str
    family: int


class _Job(NamedTuple):
    """One lookup for those who ask for `key`; apart: of one kind of addresses, where both would do."""

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
    """What the lookups of one kind of addresses have brought, as far as they have ended; `both` is set when both have."""

    found: dict[int, tuple[str, ...]] = field(default_factory=dict)
    both: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Question:
    """Who waits for a name, and which lookups of it are under way.

    `latecomers` came while the lookup was under way. `is_slow`: somebody has lost patience with it.
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
        """Tell those who came before the lookup; whether there are others, who come next."""
        for asker in self.askers:
            asker.tell(answer)
        self.askers, self.latecomers = self.latecomers, []
        return bool(self.askers)

    def leave(self, asker: _Asker) -> None:
        for waiting in (self.askers, self.latecomers):
            if asker in waiting:
                waiting.remove(asker)


def _is_localhost(name: str) -> bool:
    """RFC 6761: such a name is this machine, and nobody is asked."""
    labels = name.removesuffix(".").rpartition(".")
    return labels[2].lower() == "localhost"


def _addresses(name: str, family: int, clock: Clock) -> _Answer:
    """As the machine resolves it."""
    began_ns = clock.monotonic_ns()
    try:
        entries = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if error.args[0] == socket.EAI_AGAIN and clock.monotonic_ns() - began_ns >= SILENCE_NS:
            return _UNANSWERED
        return (), str(getattr(error, "strerror", None) or error)
    except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
        return (), type(error).__name__
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)), ""
