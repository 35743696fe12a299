"""Summaries as plain fields for people and as one packed text for programs, and back from that text. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import msgspec

from monitoring.models import PHASES
from monitoring.statistics.summary import Summary, pack_times, site_stats, unpack_times

US_PER_S = 1e6

_BYTES = {"times": bytes, "sketch": bytes}
_FIELDS = [(field.name, _BYTES.get(field.name, field.type)) for field in fields(Summary)]
Packed = msgspec.defstruct("Packed", _FIELDS, array_like=True)
"""All of a `Summary` in the order of its fields: times as `pack_times` has them, the sketch as `sketch.pack` has it."""


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
    """All of a summary as a short text for programs: its values in the order of its fields, as a JSON array."""
    sketched = b""
    if summary.sketch:
        from monitoring.statistics import sketch  # late: its buckets take a while

        sketched = sketch.pack(summary.sketch)
    *sums, times, _ = (getattr(summary, field.name) for field in fields(Summary))
    return msgspec.json.encode(Packed(*sums, pack_times(times), sketched)).decode()


_read = msgspec.json.Decoder(Packed).decode


def unpack(packed: Any) -> Summary | None:
    """None when it is no packed summary: others may write here, too."""
    try:
        *values, times, sketched = msgspec.structs.astuple(_read(packed))
        values += (unpack_times(times), _sketch(sketched))
        found = Summary(*values)
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None
    counted = len(found.times) if found.times or not found.sketch else found.responses
    return found if counted == found.responses and len(found.phase_counts) == len(found.phases_us) == len(PHASES) else None


def _sketch(packed: bytes) -> int:
    if not packed:
        return 0
    from monitoring.statistics import sketch

    return sketch.read(packed)
