"""Numbers in narrow tables: short, cut off where a larger number would promise too much, never too wide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.display.drawing.brief import brief_duration, brief_seconds, brief_window

S, M, H, D = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        *((0, "0s"), (999, "0s"), (16 * S, "16s"), (73 * S, "1m13"), (60 * S, "1m00"), (12 * M + 5 * S, "12m")),
        *((125 * M, "2h05"), (13 * H, "13h"), (3 * D + 4 * H, "3d04"), (120 * D, "120d"), (-5, "0s")),
    ],
)
def test_durations(duration_ms: int, text: str) -> None:
    assert brief_duration(duration_ms) == text


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (None, "-"),
        (0, "0.0ms"),
        (420, "0.4ms"),
        (57_300, "57ms"),
        (999_400, "999ms"),
        (1_240_000, "1.24s"),
        (12_340_000, "12.3s"),
    ],
)
def test_response_times(time_us: float | None, text: str) -> None:
    assert brief_seconds(time_us) == text


@given(st.integers(0, 999 * D))
def test_no_duration_is_wider_than_its_column(duration_ms: int) -> None:
    assert len(brief_duration(duration_ms)) <= 5


@given(st.floats(0, 9e8))
def test_no_response_time_is_wider_than_its_column(time_us: float) -> None:
    assert len(brief_seconds(time_us)) <= 6


@pytest.mark.parametrize(("length_ms", "text"), [(10 * M, "10m"), (H, "1h"), (D, "24h"), (7 * D, "7d"), (90 * M, "90m")])
def test_windows(length_ms: int, text: str) -> None:
    assert brief_window(length_ms) == text
