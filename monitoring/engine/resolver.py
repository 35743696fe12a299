"""Looks names up in threads of its own.

libcurl would do that too, but with at most 20 threads for all transfers of a multi handle, a limit that its Python
binding cannot raise: twenty names whose servers hang, and every other site would seem to be down.
"""

import socket
from collections import Counter
from collections.abc import Callable
from functools import partial

from monitoring.clock import Clock
from monitoring.engine.loop import Loop
from monitoring.engine.workers import Task, Workers
from monitoring.steps import Found, Lookup

LOOKUPS_A_NAME = 2
"""More than this at once for the same name, and the next ones wait for those: a name whose server hangs does not
take one more thread with every check."""

NS_PER_US = 1_000


class Resolver:
    """Finds the addresses of names. All methods belong to the loop's thread; answers arrive there too."""

    def __init__(self, loop: Loop, workers: Workers, clock: Clock) -> None:
        self._loop = loop
        self._workers = workers
        self._clock = clock
        self._asked: dict[str, list[_Asker]] = {}
        self._running: Counter[str] = Counter()

    def find(self, lookup: Lookup, found: Callable[[Found], None]) -> None:
        """Look a name up; `found` is called once, in time."""
        asker = _Asker(lookup, found, self._clock)
        self._asked.setdefault(lookup.name, []).append(asker)
        self._loop.call_at(asker.until_ns, lambda: self._give_up(asker))
        if self._running[lookup.name] < LOOKUPS_A_NAME:
            self._running[lookup.name] += 1
            answer = partial(self._answer, lookup.name)
            self._workers.run(Task(partial(_look_up, lookup.name), answer, lambda error: answer(((), str(error)))))

    def close(self) -> None:
        """Whoever still waits is not told any more."""
        self._asked.clear()

    def _give_up(self, asker: "_Asker") -> None:
        waiting = self._asked.get(asker.lookup.name, [])
        if asker in waiting:
            waiting.remove(asker)
            asker.answer(Found(timed_out=True))

    def _answer(self, name: str, seen: tuple[tuple[str, ...], str]) -> None:
        self._running[name] -= 1
        if not self._running[name]:
            del self._running[name]
        addresses, trouble = seen
        for asker in self._asked.pop(name, ()):
            asker.answer(Found(addresses, trouble=trouble))


class _Asker:
    """One check that waits for a name."""

    def __init__(self, lookup: Lookup, found: Callable[[Found], None], clock: Clock) -> None:
        self.lookup = lookup
        self._found = found
        self._clock = clock
        self._since_ns = clock.monotonic_ns()

    @property
    def until_ns(self) -> int:
        return self._since_ns + self.lookup.limit_us * NS_PER_US

    def answer(self, found: Found) -> None:
        took_us = (self._clock.monotonic_ns() - self._since_ns) // NS_PER_US
        self._found(Found(found.addresses, took_us, found.trouble, found.timed_out))


def _look_up(name: str) -> tuple[tuple[str, ...], str]:
    """The addresses of a name as the machine resolves it, or none and why."""
    try:
        entries = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return (), str(getattr(error, "strerror", None) or error)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)), ""
