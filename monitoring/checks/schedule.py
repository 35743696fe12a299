"""When the next check of a site is due: fixed rate on the monotonic clock, in integer nanoseconds. Pure."""

from dataclasses import dataclass

from monitoring.units import NS_PER_MS

GRACE_MS = 1_000
"""How much longer than its time-out a check may take before its process must have been stalled."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in the schedule: due at `due_ns` of the monotonic clock, the next one `interval_ms` later."""

    due_ns: int
    interval_ms: int

    @property
    def interval_ns(self) -> int:
        return self.interval_ms * NS_PER_MS

    def plus(self, slots: int) -> "Slot":
        return Slot(self.due_ns + slots * self.interval_ns, self.interval_ms)


def first_slot(now_ns: int, interval_ms: int, share: float) -> Slot:
    """The first check of a site, at a random `share` (0 <= share < 1) of its interval from now.

    Whole milliseconds, so that the times of checks lie exactly one interval apart.
    """
    return Slot(now_ns + int(share * interval_ms) * NS_PER_MS, interval_ms)


def changed_slot(slot: Slot, interval_ms: int, now_ns: int) -> Slot:
    """Where a site goes on that is checked every `interval_ms` from now on: at most one later, whole ones before `slot`."""
    interval_ns = interval_ms * NS_PER_MS
    whole = max(0, slot.due_ns - now_ns - 1) // interval_ns
    return Slot(slot.due_ns - whole * interval_ns, interval_ms)


def missed_slots(slot: Slot, now_ns: int) -> int:
    """How many whole slots have passed unused when a checker wakes at `now_ns`; 0 while it is merely late.

    After a stall the checker goes on with the first slot that still lies ahead: so all sites keep their places in the
    interval instead of starting together, and what nobody measured stays unknown.
    """
    late_ns = now_ns - slot.due_ns
    return 0 if late_ns < slot.interval_ns else late_ns // slot.interval_ns + 1


def skipped_slots(slot: Slot, finished_ns: int, timeout_ms: int) -> int:
    """How many slots passed while the check of `slot` ran until `finished_ns`: it covers them.

    A check ends at its time-out. Time beyond that (the process was stopped, the machine asleep) is nobody's.
    """
    honest_ns = slot.due_ns + slot.interval_ns + (timeout_ms + GRACE_MS) * NS_PER_MS
    return max(0, (min(finished_ns, honest_ns) - slot.due_ns) // slot.interval_ns)


def passed_slots(slot: Slot, finished_ns: int) -> int:
    """How many slots after `slot` are past when its check ends: the next check takes the first that is not."""
    return max(0, (finished_ns - slot.due_ns) // slot.interval_ns)


def next_round(start_ns: int, period_ns: int, now_ns: int) -> int:
    """The first moment after `now_ns` that lies whole periods after `start_ns`: rounds that are late are left out."""
    return start_ns + ((now_ns - start_ns) // period_ns + 1) * period_ns
