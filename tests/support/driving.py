"""Drives checks: one by a real engine until it ends, or a checker through a life on a clock that is told to go."""

import threading
from collections.abc import Callable

from monitoring.checks.checker import Checker
from monitoring.clock import Clock, SystemClock
from monitoring.engine import Engine
from monitoring.models import CheckResult, ProbeResult
from monitoring.steps import Check


def result_of(check: Check) -> ProbeResult:
    """What a check comes to, carried by an engine of its own; raises what the check raises."""
    engine = Engine(SystemClock())
    results: list[ProbeResult] = []
    errors: list[Exception] = []
    try:
        engine.begin(check, results.append, errors.append)
        while not results and not errors:
            engine.turn()
    finally:
        engine.close()
    if errors:
        raise errors[0]
    return results[0]


def at_once(see: Callable[[], ProbeResult]) -> Check:
    """A check that needs no steps: its result is whatever `see` returns when it begins."""
    yield from ()
    return see()


def live(checker: Checker, see: Callable[[], ProbeResult], clock: Clock, record: Callable[[CheckResult], None]) -> None:
    """Let a checker do its checks, each of which takes what `see` takes, until the clock says that it is over."""
    never = threading.Event()
    while not clock.wait(never, (checker.due_ns - clock.monotonic_ns()) / 1e9):
        if checker.begin():
            record(checker.finish(see()))
