"""What the contract suite of tests/storage/contract is written in: stores that have been opened, and what lies in them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Backend, OwnReader, Reader
from tests.support.points import REASON
from tests.support.results import LONG_SPAN_MS, START_MS, Recording, chances, recordings, texts

ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)
NOW_MS = ALWAYS.until_ms
MINUTE_MS, HOUR_MS = Span.MINUTE.length_ms, Span.HOUR.length_ms

any_history = settings(
    max_examples=15,  # for each of seventeen stores
    deadline=None,  # a real database on a busy machine
    suppress_health_check=[HealthCheck.too_slow],  # the same
)

OpenBackend = Callable[[str], Backend]
"""Opens a location of one database."""


class Opened(Protocol):
    """A store that has been opened, and the way that checks and alerts take into it."""

    reader: Reader

    def write(self, checks: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None: ...


class Reading(Reader, OwnReader, Protocol):
    """What the local file answers."""


@dataclass
class LocalFile:
    """A local file that is written and read."""

    reader: Reading
    write: Callable[..., None]


FreshStore = Callable[[], AbstractContextManager[Opened]]
FreshDatabase = Callable[[], AbstractContextManager[OpenBackend]]


details = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | texts
some_reasons = st.lists(details, min_size=1, max_size=3)


@st.composite
def explained(draw: st.DrawFn, span_ms: int) -> Recording:
    """Any recording; what failed says why, and some responses took longer than their phases."""
    recording = draw(recordings(span_ms))
    reasons, chance = draw(some_reasons), draw(chances)
    checks = [
        replace(
            check,
            detail=chance.choice(*reasons) if check.cause else "",
            response_us=None if check.response_us is None else check.response_us + chance.choice(0, 0, 7),
        )
        for check in recording.checks
    ]
    return Recording(tuple(checks), recording.window)


every_recording = explained(3_600_000) | explained(LONG_SPAN_MS)


def check(host: str = "a", at: int = 0, cause: Cause | None = None, status: int = 200) -> CheckResult:
    detail = f"{cause} at {at}" if cause else ""
    return CheckResult(
        host, START_MS + at, covers_ms=2_000, lag_us=7, status=status, response_us=1_500_000 + at, cause=cause, detail=detail
    )


def alert(host: str = "a", at: int = 0) -> Alert:
    return Alert(AlertType.ALERT, host, START_MS + at, START_MS + at - 5, None, 76.5, Cause.DNS, detail=REASON)


def recovery(host: str = "a", at: int = 0) -> Alert:
    return Alert(AlertType.RECOVERY, host, START_MS + at, START_MS - 5, START_MS + at - 1, 80.25, Cause.DNS)
