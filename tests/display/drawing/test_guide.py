"""The help of the live screen says what is on it, fits every terminal, and says the same as docs/screen.md."""

from pathlib import Path

import pytest

from monitoring.display.drawing.chart import LETTERS
from monitoring.display.drawing.columns import columns
from monitoring.display.drawing.grid import keys_line
from monitoring.display.drawing.guide import COLUMNS, KEYS, STATES, guide_lines, last_top
from monitoring.display.output.screen_output import KEYS_TEXT
from monitoring.display.words import GLYPHS
from monitoring.models import Cause, State
from tests.support.views import WINDOWS_MS

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "screen.md").read_text()


def shown(width: int = 200, height: int = 100, top: int = 0) -> str:
    return "\n".join(line.plain for line in guide_lines(width, height, top))


def test_everything_on_the_screen_is_explained_there_and_in_the_documents() -> None:
    titles = [column.title.partition(" ")[0] for column in columns(200, WINDOWS_MS, 600_000) if column.key != "site"]
    for word in (*titles, *KEYS, *map(str, State), *GLYPHS.values(), "INCIDENTS", "▒", "✔"):
        assert word in shown()
    for word in (*titles, *" ".join(KEYS).split(), *map(str, State), *GLYPHS.values(), *" ".join(COLUMNS).split()):
        assert word in DOCUMENT
    assert STATES.keys() == set(map(str, State))


def test_every_cause_has_a_letter_of_its_own() -> None:
    assert LETTERS.keys() == set(Cause)
    assert len(set(LETTERS.values())) == len(Cause)
    for cause, letter in LETTERS.items():
        assert f"{letter} {cause}" in shown()
        assert f"{letter} {cause}" in DOCUMENT


def test_the_last_line_of_the_screen_names_keys_that_there_are() -> None:
    named = KEYS_TEXT.split()
    assert {key for key in ("?", "!", "w", "q", "PgUp") if key in named} == {"?", "!", "w", "q", "PgUp"}


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_of_a_narrow_screen_the_last_line_still_says_how_to_quit(width: int) -> None:
    line = keys_line(KEYS_TEXT, width).plain.rstrip()
    assert line.startswith(" ? help")
    assert line.endswith("  q quit")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 10), (20, 3), (200, 50)])
def test_it_fits_and_scrolls_to_its_end(width: int, height: int) -> None:
    for top in (0, 5, 1_000):
        lines = guide_lines(width, height, top)
        assert len(lines) <= height
        assert all(line.cell_len <= width for line in lines)
        assert shown(width, height, last_top(width, height)) == shown(width, height, 1_000)
    assert "e error" in shown(80, 24, 1_000)
    assert " 1 more line: ↓" in shown(80, 24, last_top(80, 24) - 1)
    assert " more lines" in shown(80, 24)
    assert " more lines" not in shown(80, 24, 1_000)
