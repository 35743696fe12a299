"""An InfluxDB that is started late, hangs, is killed and comes back, as drawn from a seed."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from bench.processes import Core, pinned
from tests.support.influxd import Influxd

LATEST_START_S = 60.0
WELL_S, LEAST_WELL_S = 60.0, 5.0
ILL_S, LEAST_ILL_S = 10.0, 1.0

TROUBLES: dict[str, tuple[Callable[[Influxd], None], Callable[[Influxd], None]]] = {
    "hangs": (Influxd.pause, Influxd.resume),
    "is killed": (Influxd.kill, Influxd.start),
}
"""How each begins and ends."""


class TroubledInfluxdb:
    """Started late by a thread of its own, then in trouble again and again; well when `seconds` are over.

    `counts`: what happened how often. `failure`: why the thread ended early.
    """

    def __init__(self, seconds: float, seed: int, pace: float) -> None:
        self._server = Influxd()
        self._plan = _plan(random.Random(f"database {seed}"), seconds, pace)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="troubles")
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._server.__exit__(kind, error, trace)

    @property
    def port(self) -> int:
        return self._server.port

    def url(self, database: str) -> str:
        return self._server.url(database)

    def wait_until_well(self, seconds: float) -> None:
        """Wait for the end of all troubles. Raises RuntimeError when InfluxDB did not come back."""
        self._thread.join(seconds)
        if self.failure or self._thread.is_alive():
            raise RuntimeError("InfluxDB did not come back") from self.failure

    def _run(self) -> None:
        try:
            with pinned(Core.SERVERS):
                for at_s, what, act in self._plan:
                    if self._stop.wait(max(0.0, self._began_s + at_s - time.monotonic())):
                        return
                    act(self._server)
                    self.counts[what] += 1
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.failure = error


def _plan(chance: random.Random, seconds: float, pace: float) -> list[tuple[float, str, Callable[[Influxd], None]]]:
    """When what is done to the server."""
    start_s = min(LATEST_START_S, seconds / 6)
    return [(start_s, "is started", Influxd.start), *_troubles(chance, start_s, seconds, WELL_S / pace)]


def _troubles(
    chance: random.Random, at_s: float, seconds: float, well_s: float
) -> Iterator[tuple[float, str, Callable[[Influxd], None]]]:
    while (at_s := at_s + LEAST_WELL_S + chance.expovariate(1 / well_s)) < seconds:
        what = chance.choice(tuple(TROUBLES))
        begin, end = TROUBLES[what]
        yield at_s, what, begin
        at_s = min(seconds, at_s + LEAST_ILL_S + chance.expovariate(1 / ILL_S))
        yield at_s, "is well again", end
