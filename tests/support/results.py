"""Any history that a monitor could have made, as hypothesis strategies."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

from monitoring.models import PHASES, Alert, AlertType, Cause, CheckResult, Window

Value = TypeVar("Value")

START_MS = 1_767_225_600_123
"""Where generated histories begin: 2026-01-01, off the full second."""

SPAN_MS = 3_600_000
LONG_SPAN_MS = 72 * SPAN_MS

ODD_HOSTS = (
    "https://example.org/",
    "http://[::1]:8080/a?b=c&d=e,f",
    'http://it\'s "quoted"/',
    "x' OR host =~ /.*/ --",
    "'; DROP DATABASE monitoring; --",
    "bücher.example/straße ☃ 🛰",
    " padded ",
    "a,b=c d",
    "http://***@example.org/%0A%5C",
    "<b>html</b>{{ braces }}",
)

texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"), min_size=1, max_size=12)
hosts = st.sampled_from(ODD_HOSTS) | texts


@dataclass(frozen=True, slots=True)
class Recording:
    """Checks in order of time, and a window to ask about."""

    checks: tuple[CheckResult, ...]
    window: Window


class Chance:
    """What many small choices are made of: to ask hypothesis for each of them takes 0.1 ms, and a check has twenty.

    Bytes that shrink towards zero make the first of the values, and small numbers.
    """

    LENGTH = 68
    """Enough for a check, for an alert, or for two choices for each check of a recording."""

    def __init__(self, drawn: bytes) -> None:
        self._left = iter(drawn)

    def choice(self, *values: Value) -> Value:
        return values[next(self._left) % len(values)]

    def number(self, most: int) -> int:
        """From 0 to `most`, which is below 2**48. Each length in bits is as probable as the others, and so is `most`."""
        bits = next(self._left) % (most.bit_length() + 2)
        drawn = int.from_bytes([next(self._left) for _ in range(6)])
        return min(most, drawn % 2**bits) if bits <= most.bit_length() else most


# Strategies that are made once: hypothesis validates each new one, which took as long as all drawing.
chances = st.builds(Chance, st.binary(min_size=Chance.LENGTH, max_size=Chance.LENGTH))
some_hosts = st.lists(hosts, min_size=1, max_size=3, unique=True)
percents = st.floats(0, 100)


@cache
def times_within(span_ms: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(START_MS, START_MS + span_ms), min_size=1, max_size=8, unique=True)


def a_check(host: str, time_ms: int, chance: Chance) -> CheckResult:
    """One check: available with a response, failed with one, or failed without."""
    resolve, connect, tls, processing, transfer = (chance.choice(None, chance.number(10_000_000)) for _ in PHASES)
    phases = (resolve, connect, tls, processing, transfer)
    answered = chance.choice(True, True, True, False)
    failed = not answered or chance.choice(False, False, True)
    status = chance.choice(200, 200, 200, 204, 206, 301, 404, *[100 + chance.number(899)] * 7)
    return CheckResult(
        host=host,
        time_ms=time_ms,
        covers_ms=1 + chance.number(chance.choice(20_000, 10**12) - 1),
        lag_us=chance.number(5_000_000),
        status=status if answered else 0,
        response_us=sum(time for time in phases if time is not None) if answered else None,
        phases_us=phases,
        cause=chance.choice(*Cause) if failed else None,
        maintenance=chance.choice(None, None, None, 1),
    )


@st.composite
def recordings(draw: st.DrawFn, span_ms: int = SPAN_MS) -> Recording:
    """A few sites with odd names, and a window whose bounds often fall exactly on a check."""
    checks = [a_check(host, time_ms, draw(chances)) for host in draw(some_hosts) for time_ms in draw(times_within(span_ms))]
    checks.sort(key=lambda check: (check.time_ms, check.host))
    return Recording(tuple(checks), a_window([check.time_ms for check in checks], span_ms, draw(chances)))


def long_recordings() -> st.SearchStrategy[Recording]:
    """The same of some days, mostly with windows longer than one."""
    return recordings(LONG_SPAN_MS)


def a_window(moments: Sequence[int], span_ms: int, chance: Chance) -> Window:
    """Bounds on, just before or just after some of these moments, or around all of them."""
    one, other = (chance.choice(*moments) + chance.choice(0, -1, 1) for _ in range(2))
    return chance.choice(Window(min(one, other), max(one, other) + 1), Window(START_MS, START_MS + span_ms + 1))


@st.composite
def alert_lists(draw: st.DrawFn) -> list[Alert]:
    """Alerts and recoveries in order of (time, host), at most one of a site at a time."""
    alerts = [
        an_alert(host, time_ms, draw(percents), draw(chances))
        for host in draw(some_hosts)
        for time_ms in draw(times_within(SPAN_MS))
    ]
    return sorted(alerts, key=lambda alert: (alert.time_ms, alert.host))


def an_alert(host: str, time_ms: int, availability: float, chance: Chance) -> Alert:
    kind = chance.choice(*AlertType)
    lasted_ms = chance.number(10**9)
    return Alert(
        type=kind,
        host=host,
        time_ms=time_ms,
        start_ms=time_ms - lasted_ms,
        end_ms=time_ms - chance.number(lasted_ms) if kind is AlertType.RECOVERY else None,
        availability=availability,
        cause=chance.choice(None, *Cause),
        detail=chance.choice("", "certificate has expired"),
    )
