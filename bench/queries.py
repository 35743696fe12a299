"""Fills both stores with the same hour of checks and times the questions that a running monitor asks."""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.sites import INTERVAL_S
from monitoring.models import Cause, CheckResult, Window
from monitoring.storage.base import Reader
from monitoring.storage.sqlite.store import LocalStore

HOUR_MS = 3_600_000
BATCH = 5_000
FILL_LIMIT_S = 100.0
"""How long filling one store may take; then both keep the part of the hour that they have."""

REPEATS = 5
ASKING_LIMIT_S = 20.0
"""A question is not asked again once its answers have taken this long."""

QUESTIONS: Mapping[str, Callable[[Reader, int], int]] = {
    "statistics, 10 minutes": lambda reader, until_ms: _checks(reader.stats(Window.before(until_ms, 600_000), exact=True)),
    "statistics, 1 hour": lambda reader, until_ms: _checks(reader.stats(Window.before(until_ms, HOUR_MS), exact=True)),
}
"""What is asked of every store; each answers with the number of checks it counted, by which the stores are compared."""

ALERTS = "alerts, 2 minutes"
"""What is asked of the local file alone, by which alerts are decided."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How many points both stores hold, the moment after the last one, and the seconds each store took."""

    points: int
    complete: bool
    until_ms: int
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """The median seconds of one question, by store."""

    sites: int
    question: str
    checks: int
    seconds: Mapping[str, float]


def _checks(answer: Mapping[str, object]) -> int:
    return sum(getattr(one, "checks", 0) for one in answer.values())


def fill(stores: Sequence[LocalStore], hosts: Sequence[str], until_ms: int, length_ms: int = HOUR_MS) -> Fill:
    """Write the time before `until_ms` into all stores, oldest first, each batch to each of them."""
    seconds = {store.kind: 0.0 for store in stores}
    points, last_ms = 0, until_ms - length_ms
    for batch in _batches(hosts, until_ms - length_ms, until_ms):
        for store in stores:
            began = time.perf_counter()
            store.append(batch, (), batch[-1].time_ms)
            _maintain(store, batch[-1].time_ms)
            seconds[store.kind] += time.perf_counter() - began
        points, last_ms = points + len(batch), batch[-1].time_ms
        if max(seconds.values()) > FILL_LIMIT_S:
            return Fill(points, False, last_ms + 1, seconds)
    return Fill(points, True, last_ms + 1, seconds)


def _maintain(store: LocalStore, now_ms: int) -> None:
    """What the monitor's writer does between commits."""
    while store.maintain(now_ms):
        pass


def measure(stores: Sequence[Reader], sites: int, until_ms: int) -> list[Cost]:
    """Ask every question of every store. Raises RuntimeError when the stores do not count the same checks."""
    asked = [
        _measure(question, {store.kind: partial(ask, store) for store in stores}, sites, until_ms)
        for question, ask in QUESTIONS.items()
    ]
    own = {store.kind: partial(_downtime, store) for store in stores if isinstance(store, LocalStore)}
    return [*asked, _measure(ALERTS, own, sites, until_ms)]


def _downtime(store: LocalStore, until_ms: int) -> int:
    return _checks(store.downtime(Window.before(until_ms, 120_000)))


def _measure(question: str, ask: Mapping[str, Callable[[int], int]], sites: int, until_ms: int) -> Cost:
    """`ask` is how the question is put to each store, by its kind."""
    timed = {kind: _timed(one, until_ms) for kind, one in ask.items()}
    counts = {checks for checks, _ in timed.values()}
    if len(counts) != 1:
        raise RuntimeError(f"{question}: the stores do not agree: {timed}")
    return Cost(sites, question, counts.pop(), {kind: seconds for kind, (_, seconds) in timed.items()})


def _timed(ask: Callable[[int], int], until_ms: int) -> tuple[int, float]:
    """The answer and the median seconds it took."""
    seconds: list[float] = []
    answer = 0
    while len(seconds) < REPEATS and sum(seconds) < ASKING_LIMIT_S:
        began = time.perf_counter()
        answer = ask(until_ms)
        seconds.append(time.perf_counter() - began)
    return answer, statistics.median(seconds)


def _batches(hosts: Sequence[str], from_ms: int, until_ms: int) -> Iterator[list[CheckResult]]:
    batch: list[CheckResult] = []
    for check in _checks_of_all(hosts, from_ms, until_ms):
        batch.append(check)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _checks_of_all(hosts: Sequence[str], from_ms: int, until_ms: int) -> Iterator[CheckResult]:
    """All sites in turn, spread over their interval; one check in a hundred fails."""
    chance = random.Random(1)
    interval_ms = INTERVAL_S * 1_000
    outcomes = [_outcome(chance) for _ in range(1_000)]
    places = [(host, number * interval_ms // len(hosts)) for number, host in enumerate(hosts)]
    for slot_ms in range(from_ms, until_ms, interval_ms):
        for host, offset_ms in places:
            yield CheckResult(host, slot_ms + offset_ms, interval_ms, *chance.choice(outcomes))


Outcome = tuple[int, int, int | None, tuple[int | None, int | None, int | None, int | None, int | None], Cause | None]
"""The rest of a check: lag, status, response, phases, cause."""


def _outcome(chance: random.Random) -> Outcome:
    lag_us = chance.randrange(100, 2_000)
    if chance.random() < 0.01:
        return lag_us, 0, None, (None,) * 5, Cause.TIMEOUT
    phases = tuple(int(chance.expovariate(1 / mean_us)) + 1 for mean_us in (2_000, 20_000, 40_000, 80_000, 10_000))
    return lag_us, 200, sum(phases), (phases[0], phases[1], phases[2], phases[3], phases[4]), None
