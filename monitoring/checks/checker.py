"""The checker of one website: a thread that checks it at a fixed rate, from slot to result."""

import random
import threading
from collections.abc import Callable
from typing import Protocol

from monitoring.checks.schedule import changed_slot, first_slot, missed_slots, passed_slots, skipped_slots
from monitoring.clock import Clock, Stop
from monitoring.errors import CheckAbandoned
from monitoring.models import CheckResult, ProbeResult, Site
from monitoring.units import NS_PER_US


class Prober(Protocol):
    """What a checker needs of a probe: one check of one site at a time. See `monitoring.checks.probe.Probe`."""

    def check(self) -> ProbeResult:
        """Raises `CheckAbandoned` when the check says nothing about the site."""

    def close(self) -> None: ...


class Wakeup(Stop, Protocol):
    """What a checker sleeps on, like an `Event`: until a time-out, or until another thread sets it."""

    def set(self) -> None: ...

    def clear(self) -> None: ...


Record = Callable[[CheckResult], None]


class Checker(threading.Thread):
    """Checks one site until it is told to leave. Other threads call `change`, `leave` and `abandon`, and read attributes.

    `crash` is the exception that ended the thread, if there was one. `missed` counts the due checks that were never made.
    """

    def __init__(
        self,
        site: Site,
        make_probe: Callable[[Site], Prober],
        record: Record,
        clock: Clock,
        spread_ms: int,
        ended: Callable[["Checker"], None],
        changed: Wakeup,
    ) -> None:
        """The first check is due at a random moment within `spread_ms` from now, at most one interval.

        The thread calls `ended` when it ends, whatever the reason. It sleeps on `changed` until its slot is due.
        """
        super().__init__(name=f"checker of {site.host}", daemon=True)
        self.site = site
        self.missed = 0
        self.crash: BaseException | None = None
        self._make_probe = make_probe
        self._record = record
        self._clock = clock
        self._ended = ended
        self._wanted: Site | None = site
        self._changed = changed
        self._is_abandoned = False
        self._last_ms = 0
        within_ms = min(spread_ms, site.interval_ms)
        share = random.random() * within_ms / site.interval_ms  # noqa: S311 - spreads load, guards nothing
        self._slot = first_slot(clock.monotonic_ns(), site.interval_ms, share)

    def change(self, site: Site) -> None:
        """Use these settings from the next slot on. A check that is in flight ends with the old ones."""
        self._wanted = site
        self._changed.set()

    def leave(self) -> None:
        """End after the check that is in flight."""
        self._wanted = None
        self._changed.set()

    def abandon(self) -> None:
        """End without recording the check that is in flight."""
        self._is_abandoned = True
        self.leave()

    # Everything below runs in the checker's thread.

    def run(self) -> None:
        try:
            while site := self._next_settings():
                self._check_site(site)
        except BaseException as error:  # noqa: BLE001 - `Checkers` reports it and starts a new thread
            self.crash = error
        finally:
            self._ended(self)

    def _next_settings(self) -> Site | None:
        self._changed.clear()  # first, so that a change is either seen below or wakes the thread again
        return self._wanted

    def _check_site(self, site: Site) -> None:
        """Check at every slot until the settings change or the checker is to leave."""
        self.site, self._slot = site, changed_slot(self._slot, site.interval_ms, self._clock.monotonic_ns())
        probe = self._make_probe(site)
        try:
            while self._wait_for_slot():
                self._check(probe)
        finally:
            probe.close()

    def _wait_for_slot(self) -> bool:
        """Sleep until the next slot. False when the settings changed or the checker is to leave."""
        while not self._clock.wait(self._changed, (self._slot.due_ns - self._clock.monotonic_ns()) / 1e9):
            now_ns = self._clock.monotonic_ns()
            if missed := missed_slots(self._slot, now_ns):
                self._skip(missed)
            elif now_ns >= self._slot.due_ns:  # otherwise it woke too early
                return True
        return False

    def _check(self, probe: Prober) -> None:
        """Check once and record the result. The next slot is the first one that has not passed."""
        slot, started_ns = self._slot, self._clock.monotonic_ns()
        # The time of the check is its slot; it always grows, even when somebody sets the clock back.
        time_ms = self._last_ms = max(self._clock.stamp_ms(slot.due_ns), self._last_ms + 1)
        try:
            seen = probe.check()
        except CheckAbandoned:
            self._skip(1 + passed_slots(slot, self._clock.monotonic_ns()))
            return
        finished_ns = self._clock.monotonic_ns()
        passed = passed_slots(slot, finished_ns)
        self._slot = slot.plus(1 + passed)
        skipped = skipped_slots(slot, finished_ns, self.site.timeout_ms) if passed else 0
        covers_ms = slot.interval_ms * (1 + skipped)
        result = seen.in_slot(self.site.host, time_ms, covers_ms, max(0, started_ns - slot.due_ns) // NS_PER_US)
        if not self._is_abandoned:
            self._record(result)

    def _skip(self, slots: int) -> None:
        """Skip these slots: nobody knows how the site was then."""
        self.missed += slots
        self._slot = self._slot.plus(slots)
