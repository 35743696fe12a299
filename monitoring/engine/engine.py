"""Carries many checks at once: takes each from step to step until it has its result."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from monitoring.clock import Clock
from monitoring.engine.loop import Job, Loop
from monitoring.engine.resolver import Resolver
from monitoring.engine.transfers import Transfers
from monitoring.engine.workers import Task, Workers
from monitoring.models import ProbeResult
from monitoring.steps import Answer, Check, Lookup, Step, Transfer, Worked

Done = Callable[[ProbeResult], None]
Failed = Callable[[Exception], None]
Given = TypeVar("Given")


class Engine:
    """One thread's checks. Everything but `call_soon` belongs to that thread.

    Why one thread and not one a site: a thousand handles of libcurl would each keep the parsed certificates (0.5 GB),
    a thousand threads 20 MB, and from some thousands on they spend their time waiting for each other.
    """

    def __init__(self, clock: Clock) -> None:
        self._loop = Loop(clock)
        self._workers = Workers(self._loop)
        self._resolver = Resolver(self._loop, self._workers, clock)
        self._transfers = Transfers(self._loop, clock)
        self._under_way: set[_Carried] = set()

    @property
    def under_way(self) -> int:
        """How many checks have begun and not ended."""
        return len(self._under_way)

    def begin(self, check: Check, done: Done, failed: Failed) -> None:
        """Start a check; `done` is called with its result, or `failed` when it raises instead of having one."""
        carried = _Carried(check, done, failed)
        self._under_way.add(carried)
        self._go_on(carried, check.send, None)

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
        for carried in self._under_way:
            carried.check.close()
        self._under_way.clear()
        self._resolver.close()
        self._workers.close()
        self._loop.close()

    def _go_on(self, carried: "_Carried", advance: Callable[[Given], Step], given: Given) -> None:
        """Take a check to its next step: send it an answer, or throw an error into it."""
        if carried not in self._under_way:
            return  # abandoned
        try:
            step = advance(given)
        except StopIteration as end:
            self._under_way.discard(carried)
            carried.done(end.value)
        except Exception as error:  # noqa: BLE001 - of one check: all others go on
            self._under_way.discard(carried)
            carried.failed(error)
        else:
            self._take(step, carried)

    def _take(self, step: Step, carried: "_Carried") -> None:
        check = carried.check

        def answered(answer: Answer) -> None:
            self._go_on(carried, check.send, answer)

        if isinstance(step, Transfer):
            self._transfers.start(step.handle, answered)
        elif isinstance(step, Lookup):
            self._resolver.find(step, answered)
        else:
            raised = partial(self._go_on, carried, check.throw)
            self._workers.run(Task(step.job, lambda result: answered(Worked(result)), raised))


@dataclass(slots=True, eq=False)
class _Carried:
    """A check under way, and whom to tell of its end."""

    check: Check
    done: Done
    failed: Failed
