"""The marks of the page's charts, read a few at a time."""

from collections.abc import Mapping
from typing import Any, cast

from monitoring.commands.live.series import MINUTES, PATIENCE_MS, Series
from monitoring.models import SiteStats
from monitoring.units import MINUTE_MS
from tests.support.clock import FakeClock
from tests.support.views import NOON


class SlowStore:
    """Each of its answers takes as long as a turn may last."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def stats(self, *_: object, **__: object) -> Mapping[str, SiteStats]:
        self._clock.advance(PATIENCE_MS / 1_000)
        return {}


def test_a_mark_that_grows_too_old_before_another_store_was_asked_for_it_is_forgotten() -> None:
    """A database comes or goes: everything is read anew, the newest first, while the oldest minute falls out."""
    clock = FakeClock(NOON)
    series = Series(clock, MINUTES)
    series.read({}, NOON, 1)
    series.forget()
    readers = cast("Any", {"": SlowStore(clock)})
    series.read(readers, NOON, 1)
    series.read(readers, NOON + MINUTE_MS, 1)
    assert [mark.start_ms for mark in series.of(("shop", ""), NOON + MINUTE_MS)][-1] == NOON
