"""The schedule of one website's checks: when the next is due, and what one that has ended stands for."""

import random

from monitoring.checks.schedule import Slot, first_slot, missed_slots, passed_slots, skipped_slots
from monitoring.clock import Clock
from monitoring.models import CheckResult, ProbeResult, Site


class Checker:
    """Checks one site at its fixed rate: `begin` when it is due, `finish` when the check has ended, again and again."""

    def __init__(self, site: Site, clock: Clock, spread_ms: int, predecessor: "Checker | None" = None) -> None:
        """The first check is due at a random moment of the first `spread_ms` (at most one interval).

        With a predecessor, whose site this one is with other settings, it is due when the predecessor's next one was.
        """
        self.site = site
        self.missed = 0
        self._clock = clock
        self._last_ms = self._time_ms = 0
        self._started_ns = 0
        within_ms = min(spread_ms, site.interval_ms)
        share = random.random() * within_ms / site.interval_ms  # noqa: S311 - spreads load, guards nothing
        self._slot = first_slot(clock.monotonic_ns(), site.interval_ms, share)
        if predecessor:
            self._slot = Slot(predecessor.due_ns, site.interval_ms)
            self._last_ms = predecessor._last_ms

    @property
    def due_ns(self) -> int:
        """When the next check is due, by the monotonic clock."""
        return self._slot.due_ns

    def begin(self) -> bool:
        """Take the slot that is due now; False: it was slept through and given up, and `due_ns` is another one."""
        self._started_ns = self._clock.monotonic_ns()
        if missed := missed_slots(self._slot, self._started_ns):
            self.missed += missed
            self._slot = self._slot.plus(missed)
            return False
        # The slot's time; later than every one before, even if the clock was set.
        self._time_ms = self._last_ms = max(self._clock.stamp_ms(self._slot.due_ns), self._last_ms + 1)
        return True

    def finish(self, seen: ProbeResult) -> CheckResult:
        """The check that was begun has ended: what is to be stored of it. The next one is due in the next slot."""
        slot, finished_ns = self._slot, self._clock.monotonic_ns()
        self._slot = slot.plus(1 + passed_slots(slot, finished_ns))
        return CheckResult(
            host=self.site.host,
            time_ms=self._time_ms,
            covers_ms=slot.interval_ms * (1 + skipped_slots(slot, finished_ns, self.site.timeout_ms)),
            lag_us=max(0, self._started_ns - slot.due_ns) // 1_000,
            status=seen.status,
            response_us=seen.response_us,
            phases_us=seen.phases_us,
            cause=seen.cause,
            detail=seen.detail,
        )
