"""When the next check of a site is due: fixed rate on the monotonic clock, in integer nanoseconds. Pure."""

from typing import NamedTuple

from monitoring.units import NS_PER_MS

GRACE_MS = 1_000
"""A check that takes this much longer than its time-out shows that the process was stalled."""


class Slot(NamedTuple):
    """A slot of the schedule: a check is due at `due_ns` of the monotonic clock, and the next one `interval_ms` later."""

    due_ns: int
    interval_ms: int

    @property
    def interval_ns(self) -> int:
        return self.interval_ms * NS_PER_MS

    def plus(self, slots: int) -> "Slot":
        return Slot(self.due_ns + slots * self.interval_ns, self.interval_ms)


def first_slot(now_ns: int, interval_ms: int, share: float) -> Slot:
    """The slot of a site's first check: a `share` of its interval from now, 0 <= share < 1.

    The offset is in whole milliseconds, so that the times of checks lie exactly one interval apart.
    """
    return Slot(now_ns + int(share * interval_ms) * NS_PER_MS, interval_ms)


def changed_slot(slot: Slot, interval_ms: int, now_ns: int) -> Slot:
    """The next slot of a site whose interval becomes `interval_ms`.

    It lies whole new intervals before `slot`, and at most one new interval from now.
    """
    interval_ns = interval_ms * NS_PER_MS
    whole = max(0, slot.due_ns - now_ns - 1) // interval_ns
    return Slot(slot.due_ns - whole * interval_ns, interval_ms)


def missed_slots(slot: Slot, now_ns: int) -> int:
    """How many slots a checker has missed when it wakes at `now_ns`; 0 if it is late by less than an interval.

    After a stall a checker continues with the first slot in the future. So all sites keep their offsets in the interval
    instead of starting together, and time that nobody measured stays unknown.
    """
    late_ns = now_ns - slot.due_ns
    return 0 if late_ns < slot.interval_ns else late_ns // slot.interval_ns + 1


def skipped_slots(slot: Slot, finished_ns: int, timeout_ms: int) -> int:
    """How many later slots the check of `slot` covers because it ran until `finished_ns`.

    A check ends at its time-out. It does not cover time after that, when the process was stopped or the machine slept.
    """
    latest_ns = slot.due_ns + slot.interval_ns + (timeout_ms + GRACE_MS) * NS_PER_MS
    return max(0, (min(finished_ns, latest_ns) - slot.due_ns) // slot.interval_ns)


def passed_slots(slot: Slot, finished_ns: int) -> int:
    """How many slots after `slot` have passed when its check ends; the next check takes the first one that has not."""
    return max(0, (finished_ns - slot.due_ns) // slot.interval_ns)


def next_round(start_ns: int, period_ns: int, now_ns: int) -> int:
    """The first moment after `now_ns` that lies whole periods after `start_ns`; rounds that were missed are left out."""
    return start_ns + ((now_ns - start_ns) // period_ns + 1) * period_ns
