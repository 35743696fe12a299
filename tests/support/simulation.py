"""Hours of one site in milliseconds: the real checker, schedule and evaluator, on clocks that are told to go.

First the checker lives through the whole time; then the evaluator does, every two seconds, and sees each result from the
moment on at which its check had ended.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitoring.alerts.evaluator import Evaluator
from monitoring.alerts.maintenance import MaintenanceCalendar
from monitoring.alerts.rule import evaluate
from monitoring.config.keys.maintenance import Maintenance
from monitoring.models import Alert, Cause, CheckResult, ProbeResult, Site, Window
from monitoring.statistics.tracker import StatusTracker
from monitoring.thresholds import Rule
from tests.support.clock import FakeClock
from tests.support.driving import live
from tests.support.memory_store import MemoryStore

START_MS = 1_767_225_600_000
"""Every simulation begins here; its behaviours are asked in seconds since then."""

EVALUATE_EVERY_MS = 2_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check meets: how long it takes, and why it fails (None: it does not)."""

    duration_ms: int = 50
    cause: Cause | None = None


GOOD = Outcome()
REFUSED = Outcome(1, Cause.CONNECT)
HANGS = Outcome(10_000, Cause.TIMEOUT)

Behaviour = Callable[[float], Outcome]
"""What a check meets that starts so many seconds after the beginning."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The process does not run for this time; `asleep`: the machine neither, so that its monotonic clock stops too."""

    from_s: float
    until_s: float
    asleep: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A result, and the moment from which it could be read."""

    at_ms: int
    result: CheckResult


@dataclass(frozen=True, slots=True)
class Story:
    """What happened: every check, and every transition in order."""

    known: tuple[Known, ...]
    alerts: tuple[Alert, ...]

    @property
    def results(self) -> tuple[CheckResult, ...]:
        return tuple(known.result for known in self.known)

    def readable_at(self, now_ms: int) -> list[CheckResult]:
        return [known.result for known in self.known if known.at_ms <= now_ms]


def site(interval_s: float = 2, timeout_s: float = 10, rule: Rule | None = None) -> Site:
    """A site whose rule has the window that the configuration would give it."""
    interval_ms, timeout_ms = round(interval_s * 1_000), round(timeout_s * 1_000)
    fitted = (rule or Rule()).fitted_to(interval_ms, timeout_ms, EVALUATE_EVERY_MS)
    return Site("site", "http://site/", interval_ms=interval_ms, timeout_ms=timeout_ms, rule=fitted)


def down(*spans: tuple[float, float], how: Outcome = REFUSED) -> Behaviour:
    """Good, except from the first (included) to the second moment of each span."""
    return lambda second: how if any(first <= second < last for first, last in spans) else GOOD


def simulate(
    target: Site,
    behaviour: Behaviour,
    seconds: float,
    *,
    offset_s: float = 0,
    pauses: Sequence[Pause] = (),
    restarts: bool = False,
    maintenance: Sequence[tuple[float, float]] = (),
) -> Story:
    """Let the monitor run for `seconds`; the first check is due `offset_s` after the beginning.

    `restarts`: before each evaluation all that is not stored is forgotten. `maintenance`: between these seconds.
    """
    spans = [Window(*(START_MS + round(second * 1_000) for second in span)) for span in maintenance]
    calendar = MaintenanceCalendar([Maintenance(frozenset({target.host}), once=span) for span in spans], dict)
    calendar.look(START_MS)
    known = _checks(target, behaviour, SimulatedClock(seconds, pauses), offset_s, calendar)
    return Story(known, tuple(_evaluated(target, known, SimulatedClock(seconds, pauses), restarts, calendar)))


def after_start(moment_ms: int | None) -> float:
    """A moment in seconds since the beginning."""
    assert moment_ms is not None
    return (moment_ms - START_MS) / 1_000


class SimulatedClock(FakeClock):
    """Ends at a given second, and leaves the process standing in every pause on the way."""

    def __init__(self, seconds: float, pauses: Sequence[Pause]) -> None:
        super().__init__(START_MS)
        self._until_ms = START_MS + round(seconds * 1_000)
        self._pauses = list(pauses)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.advance(max(0.0, seconds))
        while self._pauses and self._pauses[0].from_s <= after_start(self.now_ms()):
            pause = self._pauses.pop(0)
            left_s = max(0.0, pause.until_s - after_start(self.now_ms()))
            (self.step_wall if pause.asleep else self.advance)(left_s)
        return self.now_ms() >= self._until_ms


def _checks(
    target: Site, behaviour: Behaviour, clock: SimulatedClock, offset_s: float, calendar: MaintenanceCalendar
) -> tuple[Known, ...]:
    known: list[Known] = []

    def see() -> ProbeResult:
        met = behaviour(after_start(clock.now_ms()))
        clock.advance(met.duration_ms / 1_000)
        return ProbeResult(200 if met.cause is None else 0, met.duration_ms * 1_000, cause=met.cause)

    def record(result: CheckResult) -> None:
        known.append(Known(clock.now_ms(), calendar.marked(result, clock.now_ms())))

    clock.advance(offset_s)
    live(target, see, clock, record)
    return tuple(known)


def _evaluated(
    target: Site, known: Sequence[Known], clock: SimulatedClock, restarts: bool, calendar: MaintenanceCalendar
) -> list[Alert]:
    store, tracker = MemoryStore(), StatusTracker([target], {})
    evaluator = Evaluator(store, clock, {}, tracker.last_states, evaluate)
    found: list[Alert] = []
    waiting = list(reversed(known))
    while not clock.wait(threading.Event(), EVALUATE_EVERY_MS / 1_000):
        while waiting and waiting[-1].at_ms <= clock.now_ms():
            result = waiting.pop().result
            tracker.observe(result)
            store.record(result)
        if restarts:
            tracker = StatusTracker([target], store.last_states(clock.now_ms() + 1))
            evaluator = Evaluator(store, clock, store.last_alerts(), tracker.last_states, evaluate)
        if not calendar.at(target.host, clock.now_ms()):
            found += evaluate_all(evaluator, [target])
    return found


def evaluate_all(evaluator: Evaluator, sites: Sequence[Site]) -> list[Alert]:
    """One round, as the main loop does it; returns the records that were written."""
    observed = evaluator.observe(sites)
    changed = {site: change for site in sites if (change := evaluator.decide(site, observed).change)}
    return evaluator.record(changed, observed)
