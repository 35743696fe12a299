"""Summaries as plain fields for people and as one packed text for programs, and back from that text. Pure."""

from array import array
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from monitoring.models import PHASES, Cause
from monitoring.statistics.summary import TIMES, Summary, pack_times, site_stats, unpack_times

US_PER_S = 1e6

_NUMBERS = 9 + 2 * len(PHASES)
"""How many integers a packed summary begins with."""


def plain_fields(summary: Summary) -> Iterator[str]:
    """For people. Seconds are floats; what is unknown is absent, texts never are."""
    yield from (
        f"{name}={number}i"
        for name, number in (
            ("checks", summary.checks),
            ("failures", summary.failures),
            ("covers", summary.covers_ms),
            ("down", summary.down_ms),
        )
    )
    found = site_stats("", summary, ())
    if found.response is not None:
        response = found.response
        yield f"mean={response.mean_us / US_PER_S!r}"
        names = ("min", response.min_us), ("max", response.max_us)
        percentiles = ("p50", response.p50_us), ("p95", response.p95_us), ("p99", response.p99_us)
        yield from (f"{name}={took_us}e-6" for name, took_us in (*names, *percentiles))
    yield from (f"{phase}={mean_us / US_PER_S!r}" for phase, mean_us in found.phases_us.items())
    if summary.last_failure_ms is not None:
        yield f"lastFailure={summary.last_failure_ms}i"
    yield f'statuses="{_counted(summary.statuses)}"'
    yield f'causes="{_counted(summary.causes)}"'


def _counted(counts: Mapping[Any, int]) -> str:
    """`200:29 503:1`, the most frequent first."""
    return " ".join(f"{what}:{count}" for what, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def pack(summary: Summary) -> str:
    """All of a summary as a short text for programs: parts with `|` between them.

    Integers (counts, sums and bounds; -1: there was none), statuses, causes, and either `t` with the response times in
    ascending order, four bytes each, little-endian, or `s` with the packed sketch, in base64.
    """
    bounds = (summary.shortest_us, summary.longest_us, summary.last_failure_ms)
    numbers = (
        *(summary.checks, summary.failures, summary.covers_ms, summary.down_ms, summary.responses, summary.responses_us),
        *(-1 if bound is None else bound for bound in bounds),
        *summary.phase_counts,
        *summary.phases_us,
    )
    if summary.sketch:
        from monitoring.statistics import sketch  # late: its buckets take a while

        kind, data = "s", sketch.pack(summary.sketch)
    else:
        kind, data = "t", pack_times(summary.times)
    counts = (_counted(summary.statuses), _counted(summary.causes))
    return "|".join((" ".join(map(str, numbers)), *counts, kind + b2a_base64(data, newline=False).decode()))


class Unpacker:
    """Reads packed summaries; keeps what many of them have in common. For one thread."""

    def __init__(self) -> None:
        self._statuses: dict[str, Mapping[int, int]] = {}
        self._causes: dict[str, Mapping[Cause, int]] = {}

    def __call__(self, packed: Any) -> Summary | None:
        """None when it is no packed summary: others may write here, too."""
        try:
            return self._read(packed)
        except (ValueError, TypeError, AttributeError, OverflowError, IndexError):
            return None

    def _read(self, packed: str) -> Summary:
        numbers, statuses, causes, data = packed.split("|")
        found = [*map(int, numbers.split())]
        checks, failures, covers, down, responses, total, shortest, longest, last_failure = found[:9]
        known_statuses = self._statuses.get(statuses)
        if known_statuses is None:
            known_statuses = self._statuses[statuses] = _read_counts(statuses, int)
        known_causes = self._causes.get(causes)
        if known_causes is None:
            known_causes = self._causes[causes] = _read_counts(causes, Cause)
        times, sketch = _read_times(data[0], a2b_base64(data[1:]))
        if len(found) != _NUMBERS or bool(responses) != bool(sketch or times) or (times and len(times) != responses):
            raise ValueError("no packed summary")
        return Summary(
            checks,
            failures,
            covers,
            down,
            responses,
            total,
            None if shortest < 0 else shortest,
            None if longest < 0 else longest,
            tuple(found[9:14]),
            tuple(found[14:_NUMBERS]),
            None if last_failure < 0 else last_failure,
            known_statuses,
            known_causes,
            times,
            sketch,
        )


def _read_times(kind: str, data: bytes) -> tuple["array[int]", int]:
    """Response times, or the sketch that stands for them."""
    if kind == "t":
        return unpack_times(data), 0
    if kind != "s":
        raise ValueError("no packed summary")
    from monitoring.statistics import sketch  # late: its buckets take a while

    return array(TIMES), sketch.read(data)


def _read_counts(text: str, kind: Callable[[str], Any]) -> dict[Any, int]:
    return {kind(what): int(count) for what, _, count in (word.rpartition(":") for word in text.split())}
