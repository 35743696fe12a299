"""Lines of an exact width."""

import pytest

from monitoring.display.drawing.grid import wrapped

SUM = "0.0 s good of 39.0 s measured = 0.0 %, a recovery needs 90 %"


@pytest.mark.parametrize("width", range(9, len(SUM)))
def test_a_number_stays_with_its_unit(width: int) -> None:
    lines = wrapped(SUM, width)
    assert " ".join(lines) == SUM
    assert all(len(line) <= width and line[0] not in "%s" for line in lines)


def test_what_only_looks_like_a_unit_is_a_word() -> None:
    assert wrapped("of 8 sites", 5) == ["of 8", "sites"]
    assert wrapped("12345 ms", 4) == ["1234", "5 ms"]
