"""Carries many checks at once: takes each from step to step until it has its result."""

from collections.abc import Callable

from monitoring.clock import Clock
from monitoring.engine.loop import Job, Loop
from monitoring.engine.resolver import Resolver
from monitoring.engine.transfers import Transfers
from monitoring.models import ProbeResult
from monitoring.steps import Answer, Check, Step, Transfer

Done = Callable[[ProbeResult], None]
Failed = Callable[[Exception], None]


class Engine:
    """One thread's checks. Everything but `call_soon` belongs to that thread.

    Why one thread and not one a site: a thousand handles of libcurl would each keep the parsed certificates (0.5 GB),
    a thousand threads 20 MB, and from some thousands on they spend their time waiting for each other.
    """

    def __init__(self, clock: Clock) -> None:
        self._loop = Loop(clock)
        self._resolver = Resolver(self._loop, clock)
        self._transfers = Transfers(self._loop, clock)
        self._under_way: set[Check] = set()

    @property
    def under_way(self) -> int:
        """How many checks have begun and not ended."""
        return len(self._under_way)

    def begin(self, check: Check, done: Done, failed: Failed) -> None:
        """Start a check; `done` is called with its result, or `failed` when it raises instead of having one."""
        self._under_way.add(check)
        self._send(check, None, done, failed)

    def call_at(self, due_ns: int, job: Job) -> None:
        """Run `job` when the monotonic clock shows `due_ns`."""
        self._loop.call_at(due_ns, job)

    def call_soon(self, job: Job) -> None:
        """Run `job` in the engine's thread; from any thread."""
        self._loop.call_soon(job)

    def turn(self) -> None:
        """Do what is due, wait for something to happen, and see to it."""
        self._loop.turn()

    def close(self) -> None:
        """Abandon what is under way and free everything."""
        self._transfers.close()
        for check in self._under_way:
            check.close()
        self._under_way.clear()
        self._resolver.close()
        self._loop.close()

    def _send(self, check: Check, answer: Answer, done: Done, failed: Failed) -> None:
        """Take a check to its next step."""
        if check not in self._under_way:
            return  # abandoned
        try:
            step = check.send(answer)
        except StopIteration as end:
            self._under_way.discard(check)
            done(end.value)
        except Exception as error:  # noqa: BLE001 - of one check: all others go on
            self._under_way.discard(check)
            failed(error)
        else:
            self._take(step, lambda answer: self._send(check, answer, done, failed))

    def _take(self, step: Step, then: Callable[[Answer], None]) -> None:
        if isinstance(step, Transfer):
            self._transfers.start(step.handle, then)
        else:
            self._resolver.find(step, then)
