"""A fixed rate that no delay, no hang and no stall can bend."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitoring.checks.schedule import GRACE_MS, Slot, first_slot, missed_slots, next_round, passed_slots, skipped_slots
from monitoring.units import NS_PER_MS

TIMEOUT_MS = 10_000

moments = st.integers(0, 10**18)
intervals = st.integers(1, 600_000)
shares = st.floats(0, 1, exclude_max=True)


@dataclass(frozen=True, slots=True)
class Run:
    """One check as the schedule places it: times in nanoseconds, what it covers in milliseconds."""

    slot: Slot
    started_ns: int
    finished_ns: int
    covers_ms: int


def runs(slot: Slot, lateness_ns: Sequence[int], durations_ns: Sequence[int]) -> Iterator[Run]:
    """Checks that start late and last as given, one after the other."""
    for late_ns, duration_ns in zip(lateness_ns, durations_ns, strict=True):
        started_ns = slot.due_ns + late_ns
        assert missed_slots(slot, started_ns) == 0
        finished_ns = started_ns + duration_ns
        yield Run(slot, started_ns, finished_ns, slot.interval_ms * (1 + skipped_slots(slot, finished_ns, TIMEOUT_MS)))
        slot = slot.plus(1 + passed_slots(slot, finished_ns))


@st.composite
def jittery(draw: st.DrawFn, longest_ns: int | None = None) -> list[Run]:
    """Up to 30 checks, each up to an interval late and as long as allowed (None: within its own interval)."""
    slot = first_slot(draw(moments), draw(intervals), draw(shares))
    late = draw(st.lists(st.integers(0, slot.interval_ns - 1), min_size=1, max_size=30))
    lasts = [draw(st.integers(0, slot.interval_ns - 1 - ns if longest_ns is None else longest_ns)) for ns in late]
    return list(runs(slot, late, lasts))


@given(checks=jittery(), shift_ns=st.integers(0, 10**12))
def test_n_intervals_hold_exactly_n_checks_whatever_the_jitter(checks: list[Run], shift_ns: int) -> None:
    interval_ns = checks[0].slot.interval_ns
    first_ns = checks[0].slot.due_ns
    until_ns = first_ns + len(checks) * interval_ns
    assert [check.slot.due_ns for check in checks] == list(range(first_ns, until_ns, interval_ns))
    shift_ns %= interval_ns  # wherever in the interval the window begins
    window = range(first_ns - shift_ns, until_ns - shift_ns)
    assert sum(check.slot.due_ns in window for check in checks) == len(checks)


@given(checks=jittery(longest_ns=(TIMEOUT_MS + GRACE_MS) * NS_PER_MS))
def test_checks_cover_the_schedule_without_gap_or_overlap(checks: list[Run]) -> None:
    """What a long check skipped it covers: up to the next check's slot, to the millisecond."""
    for check, following in pairwise(checks):
        assert following.slot.due_ns == check.slot.due_ns + check.covers_ms * NS_PER_MS


@given(checks=jittery(longest_ns=100_000 * NS_PER_MS))
def test_two_checks_of_a_site_never_overlap(checks: list[Run]) -> None:
    for check, following in pairwise(checks):
        assert following.slot.due_ns > check.finished_ns
        assert (following.slot.due_ns - check.slot.due_ns) % check.slot.interval_ns == 0


@given(checks=jittery(longest_ns=10**15))
def test_a_stalled_process_covers_nothing_beyond_its_time_out(checks: list[Run]) -> None:
    """A check that was stopped for a week stands for what it could have been, not for the week."""
    for check in checks:
        assert check.covers_ms <= TIMEOUT_MS + GRACE_MS + 2 * check.slot.interval_ms


def test_what_a_check_covers() -> None:
    slot = Slot(0, 2_000)
    seconds = {0: 0, 1.999: 0, 2: 1, 3.9: 1, 4: 2, 10: 5, 11: 5, 12.9: 6, 3_600: 6}
    assert {s: skipped_slots(slot, round(s * 1e9), TIMEOUT_MS) for s in seconds} == seconds
    assert passed_slots(slot, 3_600 * 10**9) == 1_800
    assert skipped_slots(slot, -1, TIMEOUT_MS) == passed_slots(slot, -1) == 0


@given(interval_ms=intervals, offsets=st.lists(shares, min_size=2, max_size=20), stalled_ns=st.integers(0, 10**15))
def test_after_a_stall_all_sites_keep_their_places(interval_ms: int, offsets: list[float], stalled_ns: int) -> None:
    """They do not start together: each goes on at its own moment within the next interval, as before."""
    before = [first_slot(0, interval_ms, share) for share in offsets]
    now_ns = stalled_ns + 2 * interval_ms * NS_PER_MS
    after = [slot.plus(missed_slots(slot, now_ns)) for slot in before]
    for old, new in zip(before, after, strict=True):
        assert now_ns < new.due_ns <= now_ns + new.interval_ns
        assert (new.due_ns - old.due_ns) % old.interval_ns == 0


def test_a_check_that_is_merely_late_is_made() -> None:
    slot = Slot(10**9, 2_000)
    late_by = {-1: 0, 0: 0, 1_999_999_999: 0, 2_000_000_000: 2, 3_999_999_999: 2, 4_000_000_000: 3}
    assert {ns: missed_slots(slot, slot.due_ns + ns) for ns in late_by} == late_by


@given(now_ns=moments, interval_ms=intervals, share=shares)
def test_the_first_check_lies_within_the_first_interval(now_ns: int, interval_ms: int, share: float) -> None:
    offset_ns = first_slot(now_ns, interval_ms, share).due_ns - now_ns
    assert 0 <= offset_ns < interval_ms * NS_PER_MS
    assert offset_ns % NS_PER_MS == 0


@given(start_ns=moments, period_ns=st.integers(1, 10**12), past_ns=st.integers(0, 10**15))
def test_late_rounds_are_left_out(start_ns: int, period_ns: int, past_ns: int) -> None:
    """The next round is the first on the grid that still lies ahead, however many were slept through."""
    now_ns = start_ns + past_ns
    due_ns = next_round(start_ns, period_ns, now_ns)
    assert (due_ns - start_ns) % period_ns == 0
    assert now_ns < due_ns <= now_ns + period_ns
