"""Response times of a window drawn as a line of bars."""

from collections.abc import Sequence

from rich.text import Text

from monitoring.display.grid import DIM
from monitoring.models import Bucket
from monitoring.statistics.windows import TREND_BUCKETS

BARS = "▁▂▃▄▅▆▇█"
FAILED = "x"
UNMEASURED = "·"


def sparkline(trend: Sequence[Bucket], short: bool = False) -> Text:
    """Mean response times as bars from 0 to their maximum, `x` where a check failed, `·` where nothing was measured.

    `short` makes the line half as long: of two neighbours it shows the slower one.
    """
    buckets = trend or (Bucket(),) * TREND_BUCKETS
    if short:
        buckets = [_joined(buckets[place : place + 2]) for place in range(0, len(buckets), 2)]
    slowest = max((bucket.mean_us or 0.0 for bucket in buckets), default=0.0)
    return Text.assemble(*(_mark(bucket, slowest) for bucket in buckets))


def _joined(buckets: Sequence[Bucket]) -> Bucket:
    means = [bucket.mean_us for bucket in buckets if bucket.mean_us is not None]
    return Bucket(max(means, default=None), sum(bucket.failures for bucket in buckets))


def _mark(bucket: Bucket, slowest_us: float) -> tuple[str, str]:
    if bucket.failures:
        return FAILED, "red"
    if bucket.mean_us is None:
        return UNMEASURED, DIM
    height = int(bucket.mean_us / slowest_us * len(BARS)) if slowest_us else 0
    return BARS[min(height, len(BARS) - 1)], "green"
