"""The phases of a check in numbers, from libcurl's marks. Pure."""

Phases = tuple[int | None, int | None, int | None, int | None, int | None]
"""Microseconds in the order of `models.PHASES`; None for a phase that never ran or never ended."""

NO_PHASES: Phases = (None,) * 5

Marks = tuple[int, int, int, int, int]
"""When name lookup, connect, TLS handshake, wait and transfer had ended, in microseconds from the start; 0: not."""


def phases_of(marks: Marks, answered: bool, complete: bool) -> Phases:
    """Split libcurl's marks into phases: each lasts from the end of the one before to its own mark.

    So they add up to the last mark exactly. libcurl sets the last two marks also when a transfer fails before them.
    """
    happened = (True, True, True, answered, complete)
    phases: list[int | None] = []
    end = 0
    for mark, real in zip(marks, happened, strict=True):
        took, end = (mark - end, mark) if mark > end else (0, end)
        phases.append(took if mark and real else None)
    return (phases[0], phases[1], phases[2], phases[3], phases[4])


def add(one: Phases, other: Phases) -> Phases:
    if one is NO_PHASES:
        return other
    sums = [a if b is None else b + (a or 0) for a, b in zip(one, other, strict=True)]
    return (sums[0], sums[1], sums[2], sums[3], sums[4])


def total(phases_us: Phases) -> int:
    return sum(filter(None, phases_us))
