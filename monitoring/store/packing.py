"""What the checks of one site in a minute, or in a piece of one, add up to: the row of `minutes`. Pure.

A window is answered from sixty rows a site and hour instead of eighteen hundred, and exactly: percentiles too, because
the response times are kept, sorted. Works column by column, for speed: a thousand sites bring thirty thousand checks a
minute.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, compress
from typing import Any, NamedTuple

from monitoring.models import PHASES
from monitoring.stats import LONG_MARK_MS
from monitoring.store.blocks import SiteColumns
from monitoring.store.schema import CAUSES, RESPONSE, Row

LARGEST_TIME_US = 2**32 - 1
"""A check with a longer response time (over an hour) cannot be packed, and stays as it is."""

FITS = f"(response IS NULL OR response <= {LARGEST_TIME_US})"
"""The others, in SQL."""


def fits(row: Row) -> bool:
    """The same of a row of table `checks`."""
    return (row[RESPONSE] or 0) <= LARGEST_TIME_US


Times = Sequence[int | None]


class Measured(NamedTuple):
    """The columns of one site's checks that are added up; `offset` is in milliseconds of their minute, ascending."""

    offset: Sequence[int]
    covers: Sequence[int]
    status: Sequence[int]
    response: Times
    resolve: Times
    connect: Times
    tls: Times
    processing: Times
    transfer: Times
    cause: Sequence[int | None]

    def part(self, first: int, last: int) -> "Measured":
        """Some neighbours of them."""
        columns: list[Any] = [column[first:last] for column in self]
        return Measured(*columns)


MEASURED = Measured._fields[1:]


def measured_by_site(checks: SiteColumns) -> Iterator[tuple[int, Measured]]:
    """The number of each site, and its checks."""
    measured = Measured(checks.offsets, *(getattr(checks.columns, name) for name in MEASURED))
    for span in checks.spans:
        yield span.site, measured.part(span.first, span.last)


def add_up_sites(minute_ms: int, checks: SiteColumns) -> Iterator[tuple[Any, ...]]:
    """For each site its number and then the values of its row of `minutes` after the key."""
    for site, measured in measured_by_site(checks):
        yield site, *add_up(minute_ms, measured)


def add_up(minute_ms: int, checks: Measured) -> tuple[Any, ...]:
    """The values of a row of `minutes` after its key, from `schema.SUMS` on, in their order. At least one check."""
    *values, times = sum_up(minute_ms, checks)
    return (*values, array("I", times).tobytes())


def sum_up(minute_ms: int, checks: Measured) -> tuple[Any, ...]:
    """The same with the response times, however long they are, as a list."""
    good, failed = _good_and_failed(checks)
    half = bisect_left(good.offset, LONG_MARK_MS)
    return (
        *(len(checks.offset), len(good.offset), sum(checks.covers), sum(good.covers), bisect_left(failed, LONG_MARK_MS)),
        *_count_and_sum(good.response),
        *_count_and_sum(good.response[:half]),
        *chain.from_iterable(map(_count_and_sum, (getattr(good, phase) for phase in PHASES))),
        minute_ms + failed[-1] if failed else None,
        counted({status: checks.status.count(status) for status in dict.fromkeys(checks.status) if status}),
        counted({CAUSES[cause]: checks.cause.count(cause) for cause in dict.fromkeys(checks.cause) if cause is not None}),
        sorted(known(good.response)),
    )


def _good_and_failed(checks: Measured) -> tuple[Measured, Sequence[int]]:
    """The available checks, and when the others were."""
    if checks.cause.count(None) == len(checks.cause):
        return checks, ()
    chosen = [cause is None for cause in checks.cause]
    failed = [offset for offset, good in zip(checks.offset, chosen, strict=True) if not good]
    columns: list[Any] = [list(compress(column, chosen)) for column in checks]
    return Measured(*columns), failed


def _count_and_sum(times: Times) -> tuple[int, int]:
    answered = known(times)
    return len(answered), sum(answered)


def known(times: Times) -> Sequence[int]:
    if None not in times:  # mostly: a quick look spares the copy
        return times  # type: ignore[return-value]
    return [time for time in times if time is not None]


def counted(known: Mapping[Any, int]) -> str | None:
    """How often each of these occurs, as the columns `statuses` and `causes` say it."""
    return ",".join([f"{value}:{count}" for value, count in known.items()]) or None


def counts(texts: Sequence[str]) -> dict[str, int]:
    """The same read back, of several such texts added up."""
    found: dict[str, int] = {}
    for pair, times in Counter(",".join(texts).split(",") if texts else ()).items():
        value, _, count = pair.partition(":")
        found[value] = found.get(value, 0) + int(count) * times
    return found
