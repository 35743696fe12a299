"""A thread for each website: checks it at its fixed rate and hands every result on."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from monitoring.clock import Clock
from monitoring.models import CheckResult, ProbeResult, Site
from monitoring.schedule import NS_PER_MS, Slot, first_slot, missed_slots, passed_slots, skipped_slots

STACK_BYTES = 256 * 1024
"""A checker's stack: enough for libcurl with TLS, little enough for thousands of them."""

SPREAD_MS_PER_SITE = 10
MINIMUM_SPREAD_MS = 1_000

LAST_CHECKS_S = 1.0
"""How long stopping waits for checks under way; one that hangs longer is left to end with the process."""


class Prober(Protocol):
    """What a checker asks: one check of one site. Never raises; see `monitoring.probe.Probe`."""

    def check(self) -> ProbeResult: ...

    def close(self) -> None: ...


Record = Callable[[CheckResult], None]


class Checker:
    """Checks one site until told to stop. Its results go to `record`, in order, from its own thread."""

    def __init__(
        self, site: Site, make_probe: Callable[[Site], Prober], record: Record, clock: Clock, spread_ms: int
    ) -> None:
        """The first check is due at a random moment of the first `spread_ms` (at most one interval)."""
        self.site = site
        self.missed = 0
        self.failure: BaseException | None = None
        self._make_probe = make_probe
        self._record = record
        self._clock = clock
        self._last_ms = 0
        # An event of its own: thousands of threads on one would wake each other out of their measurements.
        self._stop = threading.Event()
        within_ms = min(spread_ms, site.interval_ms)
        share = random.random() * within_ms / site.interval_ms  # noqa: S311 - spreads load, guards nothing
        self._slot = first_slot(clock.monotonic_ns(), site.interval_ms, share)
        self._thread = threading.Thread(target=self._run, name=f"checker {site.host}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            probe = self._make_probe(self.site)
            try:
                self.run(probe)
            finally:
                probe.close()
        except BaseException as error:  # noqa: BLE001 - told by the pool, which starts another checker
            self.failure = error

    def run(self, probe: Prober) -> None:
        while not self._clock.wait(self._stop, (self._slot.due_ns - self._clock.monotonic_ns()) / 1e9):
            self.step(probe)

    def step(self, probe: Prober) -> None:
        """Do the check that is due now, or give its slot up when it was slept through; then take the next slot."""
        slot = self._slot
        started_ns = self._clock.monotonic_ns()
        if missed := missed_slots(slot, started_ns):
            self.missed += missed
            self._slot = slot.plus(missed)
            return
        time_ms = self._stamp(slot)
        seen = probe.check()
        finished_ns = self._clock.monotonic_ns()
        self._slot = slot.plus(1 + passed_slots(slot, finished_ns))
        covers_ms = slot.interval_ms * (1 + skipped_slots(slot, finished_ns, self.site.timeout_ms))
        self._record(_stored(self.site.host, seen, time_ms, covers_ms, max(0, started_ns - slot.due_ns) // 1_000))

    def _stamp(self, slot: Slot) -> int:
        """The slot's time; later than every one before, even if the clock was set."""
        self._last_ms = max(self._clock.stamp_ms(slot.due_ns), self._last_ms + 1)
        return self._last_ms


def _stored(host: str, seen: ProbeResult, time_ms: int, covers_ms: int, lag_us: int) -> CheckResult:
    return CheckResult(
        host, time_ms, covers_ms, lag_us, seen.status, seen.response_us, seen.phases_us, seen.cause, seen.detail
    )


class CheckerPool:
    """The checkers of all sites: started together, replaced when one dies, stopped together."""

    def __init__(self, make_probe: Callable[[Site], Prober], record: Record, clock: Clock) -> None:
        self._make_probe = make_probe
        self._record = record
        self._clock = clock
        self._checkers: dict[str, Checker] = {}

    def start(self, sites: Iterable[Site]) -> None:
        sites = tuple(sites)
        spread_ms = max(MINIMUM_SPREAD_MS, SPREAD_MS_PER_SITE * len(sites))
        for site in sites:
            self._start_one(site, spread_ms)

    def _start_one(self, site: Site, spread_ms: int) -> None:
        checker = Checker(site, self._make_probe, self._record, self._clock, spread_ms)
        self._checkers[site.host] = checker
        with _small_stacks():
            checker.start()

    def replace_dead(self) -> list[str]:
        """Start a checker for each site whose own has died; returns a sentence for each."""
        dead = [checker for checker in self._checkers.values() if not checker.is_alive()]
        for checker in dead:
            self._start_one(checker.site, MINIMUM_SPREAD_MS)
        return [f"the checker of {checker.site.host} died ({checker.failure!r}) and was replaced" for checker in dead]

    def stop(self) -> None:
        """Stop all; checks under way may end within `LAST_CHECKS_S`, hung ones are abandoned."""
        for checker in self._checkers.values():
            checker.ask_to_stop()
        deadline_ns = self._clock.monotonic_ns() + int(LAST_CHECKS_S * 1000) * NS_PER_MS
        for checker in self._checkers.values():
            checker.join(max(0.0, (deadline_ns - self._clock.monotonic_ns()) / 1e9))
        self._checkers.clear()

    @property
    def missed(self) -> int:
        """How many due checks were never made because the process was kept from running."""
        return sum(checker.missed for checker in self._checkers.values())


@contextmanager
def _small_stacks() -> Iterator[None]:
    before = threading.stack_size(STACK_BYTES)
    try:
        yield
    finally:
        threading.stack_size(before)
