"""Does the monitor grow while it runs? From the samples of a long run."""

from collections.abc import Callable, Sequence

from bench.promises import Promise, at_most
from bench.watched import Line, Sample, line, second_half

LEAST_S = 900.0
"""What is judged must be so long, else a rise in an hour is mostly noise."""

FULL_S = 3_600.0
"""Until then the hour that is shown fills, and with it what is in memory of its minutes: SQLite's page caches."""

MEMORY_KB_AN_HOUR = 2_048
"""Under 6 bytes a check at 100 checks a second: nothing is kept of each."""

DESCRIPTORS_AN_HOUR = 10
THREADS_AN_HOUR = 2
WAL_MB = 80
"""What `journal_size_limit` allows, and a commit beyond it."""


def growth_promises(samples: Sequence[Sample]) -> list[Promise]:
    largest = max((sample.wal_bytes for sample in samples), default=0)
    half = second_half(samples)
    full = [sample for sample in half if sample.at_s >= FULL_S]
    return [
        _flat("memory, rise since the hour is full", full, lambda sample: sample.memory_kb, MEMORY_KB_AN_HOUR, "kB"),
        _flat("descriptors, rise in the second half", half, lambda sample: sample.descriptors, DESCRIPTORS_AN_HOUR, ""),
        _flat("threads, rise in the second half", half, lambda sample: sample.threads, THREADS_AN_HOUR, ""),
        at_most("write-ahead log", largest / 2**20, WAL_MB, "MB"),
    ]


def _flat(what: str, judged: Sequence[Sample], value: Callable[[Sample], float], limit: float, unit: str) -> Promise:
    """It rises by no more than `limit` an hour, or by no more than chance explains (two standard errors)."""
    promised = f"at most {limit:,} {unit}/h"
    if len(judged) < 3:
        return Promise(what, "no samples", promised, None)
    rise = line(judged, value)
    long_enough = judged[-1].at_s - judged[0].at_s >= LEAST_S
    kept = rise.an_hour - 2 * rise.error <= limit if long_enough else None
    return Promise(what, _rise_text(rise, unit), promised, kept)


def _rise_text(rise: Line, unit: str) -> str:
    return f"{rise.an_hour:+,.1f} ± {2 * rise.error:,.1f} {unit}/h"


def facts_of_growth(samples: Sequence[Sample]) -> list[tuple[str, str]]:
    """How it stood after a quarter, half, three quarters and all of the time."""
    if len(samples) < 4:
        return []
    chosen = [samples[len(samples) * part // 4 - 1] for part in (1, 2, 3, 4)]
    times = " / ".join(f"{sample.at_s / 60:.0f}" for sample in chosen)
    return [
        (f"after {times} min: memory, MB", " / ".join(f"{sample.memory_kb / 1_024:.1f}" for sample in chosen)),
        ("descriptors", " / ".join(str(sample.descriptors) for sample in chosen)),
        ("threads", " / ".join(str(sample.threads) for sample in chosen)),
        ("CPU of one core", f"{100 * chosen[-1].cpu_s / chosen[-1].at_s:.1f} %"),
        ("write-ahead log, largest", f"{max(sample.wal_bytes for sample in samples) / 2**20:.1f} MB"),
    ]
