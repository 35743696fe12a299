"""Checks the books of a long run: is every slot accounted for, and does the target tell the same story? Pure."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.faults import Fault
from bench.faulty import LATE_S, WELL
from monitoring.models import Cause, CheckResult, Window

START_LIMIT_MS = 5_000
"""How long after the start the first check of a site may come, besides the spread of the first checks."""

SPREAD_MS_A_SITE = 10

CLOCKS_MS = 250
"""How far the clocks of monitor and target may part: one of them follows the monotonic clock."""

EXPECTED: Mapping[str, Sequence[Cause | None]] = {
    WELL: (None,),
    Fault.LATE: (None,),
    Fault.ERROR: (Cause.STATUS,),
    Fault.HANG: (Cause.TIMEOUT,),
    Fault.DRIP: (Cause.TIMEOUT,),
    Fault.CUT: (Cause.PROTOCOL,),
    Fault.RESET: (Cause.PROTOCOL, Cause.CONNECT),
}
"""What a check must say of each thing that the target can do."""


@dataclass(frozen=True, slots=True)
class TargetLog:
    """What the target did: for each host when it was asked and what it did then; and when nobody listened."""

    served: Mapping[str, Sequence[tuple[int, str]]]
    refused: Mapping[str, Sequence[tuple[int, int]]]


@dataclass(slots=True)
class Slots:
    """Milliseconds of schedule that the checks cover, slots that none of them covers, and what is wrong."""

    covered_ms: int = 0
    not_made: int = 0
    breaches: list[str] = field(default_factory=list)


def by_host(hosts: Sequence[str], checks: Sequence[CheckResult]) -> dict[str, list[CheckResult]]:
    """The checks of each of these hosts, in order of time."""
    found: dict[str, list[CheckResult]] = {host: [] for host in hosts}
    for check in checks:
        if check.host in found:
            found[check.host].append(check)
    return found


def account_for_slots(checks: Mapping[str, Sequence[CheckResult]], run: Window, interval_ms: int, timeout_ms: int) -> Slots:
    """Do the checks of each site cover the whole run, without overlap, in whole slots?

    The last check of a site may have been abandoned while it hung: so much may lack at the end.
    """
    slots = Slots()
    latest_start_ms = run.from_ms + START_LIMIT_MS + SPREAD_MS_A_SITE * len(checks)
    earliest_end_ms = run.until_ms - timeout_ms - 2 * interval_ms
    for host, own in checks.items():
        if not own or own[0].time_ms > latest_start_ms:
            slots.breaches.append(f"{host}: no check until {latest_start_ms}")
            continue
        if own[-1].time_ms + own[-1].covers_ms < earliest_end_ms:
            slots.breaches.append(f"{host}: nothing after {own[-1].time_ms}")
        slots.covered_ms += sum(check.covers_ms for check in own)
        for earlier, later in pairwise(own):
            _account_between(slots, earlier, later, interval_ms)
    return slots


def _account_between(slots: Slots, earlier: CheckResult, later: CheckResult, interval_ms: int) -> None:
    gap_ms = later.time_ms - earlier.time_ms - earlier.covers_ms
    if gap_ms < 0:
        slots.breaches.append(f"{earlier.host}: the checks at {earlier.time_ms} and {later.time_ms} overlap")
    elif gap_ms % interval_ms or earlier.covers_ms % interval_ms:
        slots.breaches.append(f"{earlier.host}: the check at {earlier.time_ms} covers no whole slots")
    else:
        slots.not_made += gap_ms // interval_ms


def compare_with_target(checks: Mapping[str, Sequence[CheckResult]], log: TargetLog) -> list[str]:
    """Every request belongs to one check, every check has one request or was refused, and says what was done to it."""
    return [breach for host, own in checks.items() if own for breach in _compare_site(host, own, log)]


def _compare_site(host: str, own: Sequence[CheckResult], log: TargetLog) -> Iterator[str]:
    requests, refused = log.served[host], log.refused[host]
    first_ms, end_ms = _begin_ms(own[0]) - CLOCKS_MS, own[-1].time_ms + own[-1].covers_ms - CLOCKS_MS
    early, late = (sum(map(beyond, requests)) for beyond in (lambda one: one[0] < first_ms, lambda one: one[0] >= end_ms))
    if early or late > 1:  # the last check may have been abandoned
        yield f"{host}: {early} requests before the first stored check, {late} after the last one"
    asked = _requests_of_each(own, requests[early : len(requests) - late], refused)
    for check, done in zip(own, asked, strict=True):
        if trouble := _compare_check(check, done, refused):
            yield f"{host}: check at {check.time_ms} says {check.cause or 'available'}, {trouble}"


def _begin_ms(check: CheckResult) -> int:
    return check.time_ms + check.lag_us // 1_000


def _requests_of_each(
    own: Sequence[CheckResult], requests: Sequence[tuple[int, str]], refused: Sequence[tuple[int, int]]
) -> Iterator[list[str]]:
    """What was done to each check: a request comes after its check's beginning and before the next one's."""
    waiting = deque(requests)
    for place, check in enumerate(own):
        next_ms = _begin_ms(own[place + 1]) if place + 1 < len(own) else check.time_ms + check.covers_ms
        done = [waiting.popleft()[1]] if waiting and waiting[0][0] < _latest_ms(check, next_ms, refused) else []
        while waiting and waiting[0][0] < next_ms - CLOCKS_MS:
            done.append(waiting.popleft()[1])
        yield done


def _latest_ms(check: CheckResult, next_ms: int, refused: Sequence[tuple[int, int]]) -> int:
    """When the request of a check must have come: while it ran, as far as we know how long that was."""
    if _may_be_refused(check, refused):
        return next_ms - CLOCKS_MS
    return CLOCKS_MS + (next_ms if check.response_us is None else _begin_ms(check) + check.response_us // 1_000)


def _may_be_refused(check: CheckResult, refused: Sequence[tuple[int, int]]) -> bool:
    near = any(start - CLOCKS_MS <= _begin_ms(check) < end + CLOCKS_MS for start, end in refused)
    return near and check.cause in (Cause.CONNECT, Cause.PROTOCOL)


def _compare_check(check: CheckResult, done: Sequence[str], refused: Sequence[tuple[int, int]]) -> str | None:
    """What is wrong with a check, given what the target did in its time."""
    if len(done) > 1:
        return f"the target was asked {len(done)} times"
    if not done:
        return None if _may_be_refused(check, refused) else "the target was not asked"
    if check.cause not in EXPECTED[done[0]]:
        return f"the target: {done[0]}"
    if done[0] == Fault.LATE and (check.response_us or 0) < LATE_S * 1e6:
        return f"measured {check.response_us} us, less than the target took"
    return None
