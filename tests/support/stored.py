"""What a reader must return, reckoned from the checks that were written."""

from collections.abc import Iterable, Sequence

from monitoring.models import CheckResult, LastState, Window
from monitoring.statistics import reference
from monitoring.statistics.status import advance
from monitoring.storage.base import Reader


def states_of(checks: Iterable[CheckResult], before_ms: int) -> dict[str, LastState]:
    found: dict[str, LastState] = {}
    for one in sorted(checks, key=lambda one: one.time_ms):
        if one.time_ms < before_ms:
            found[one.host] = advance(found.get(one.host), one)
    return found


def assert_same_stats(reader: Reader, checks: Sequence[CheckResult], window: Window) -> None:
    for exact in (True, False):
        assert dict(reader.stats(window, exact=exact)) == reference.summarise(checks, window, exact=exact)
    assert reader.missing(window) == 0
