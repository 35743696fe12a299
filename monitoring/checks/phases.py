"""Computes the phases of a check from libcurl's timers. Pure."""

Phases = tuple[int | None, int | None, int | None, int | None, int | None]
"""Microseconds, in the order of `fields.PHASES`; None for a phase that did not run or did not end."""

NO_PHASES: Phases = (None,) * 5

Marks = tuple[int, int, int, int, int]
"""When lookup, connect, TLS handshake, processing and transfer ended, in microseconds from the start; 0: they did not."""


def phases_of(marks: Marks, answered: bool, complete: bool) -> Phases:
    """Split libcurl's marks into phases. Each phase lasts from the end of the one before to its own mark.

    So the phases add up to the last mark exactly. libcurl also sets the last two marks when a transfer fails before them:
    `answered` and `complete` say whether these two phases took place.
    """
    phases: list[int | None] = []
    end = 0
    for mark in marks:
        took, end = (mark - end, mark) if mark > end else (0, end)
        phases.append(took if mark else None)
    resolve, connect, tls, processing, transfer = phases
    return resolve, connect, tls, processing if answered else None, transfer if complete else None


def add(one: Phases, other: Phases) -> Phases:
    if one is NO_PHASES:
        return other
    sums = [a if b is None else b + (a or 0) for a, b in zip(one, other, strict=True)]
    return (sums[0], sums[1], sums[2], sums[3], sums[4])


def total(phases_us: Phases) -> int:
    return sum(filter(None, phases_us))
