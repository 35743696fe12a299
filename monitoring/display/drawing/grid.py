"""Columns and lines of an exact width in terminal cells, so that nothing wraps."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.text import Text

from monitoring.display.words import NOTHING

GAP = 2
"""Cells between two columns."""


EMOJI_SELECTOR = "\ufe0f"
"""Makes the sign before it an emoji, on whose width terminals do not agree: it is left out."""


_WORDS = re.compile(r"\d[\d.]* (?:%|ms|s|min|h|d)(?!\w)\S*|\S+")


@dataclass(frozen=True, slots=True)
class Column:
    """A column with a title. `right`: aligned to the right, like numbers. `both_ends`: long texts are cut in the middle."""

    title: str
    cells: tuple[Text, ...]
    right: bool = False
    both_ends: bool = False

    @property
    def width(self) -> int:
        """The width of its widest cell or of its title, in terminal cells."""
        return max(cell_len(self.title), *(cell.cell_len for cell in self.cells), 0)


def value(text: str, style: str = "") -> Text:
    """A cell. An unknown value is weak."""
    return Text(text, "weak" if text == NOTHING else style)


def total(widths: Collection[int]) -> int:
    """The total width of columns of these widths."""
    return sum(widths) + GAP * max(0, len(widths) - 1)


def fit(cell: Text, width: int, right: bool = False, both_ends: bool = False) -> Text:
    """The cell in exactly `width` terminal cells: padded, or cut with an ellipsis at its end (`both_ends`: in its middle).

    URLs of one server differ at their ends, but the beginning of a sentence matters most.
    """
    cell = _steady(cell)
    cut = both_ends and cell.cell_len > width
    fitted = Text(_both_ends(cell.plain, width), cell.style) if cut else cell.copy()
    fitted.truncate(max(1, width), overflow="ellipsis")
    padding = max(0, width - fitted.cell_len)
    if right:
        fitted.pad_left(padding)
    else:
        fitted.pad_right(padding)
    return fitted


def fit_name(name: str, width: int, style: str = "") -> Text:
    """The name of a site in exactly `width` cells. A URL that is too long loses its scheme first, then its middle."""
    name = name.replace(EMOJI_SELECTOR, "")
    scheme, found, rest = name.partition("://")
    short = rest if found and scheme in ("http", "https") and cell_len(name) > width else name
    return fit(Text(short, style), width, both_ends=True)


def _both_ends(text: str, width: int) -> str:
    """The beginning of a text in two thirds of the width, and its end in the rest."""
    head = set_cell_size(text, max(1, 2 * width // 3)).rstrip()  # half a wide character is a blank
    room = width - cell_len(head) - 1
    tail = text[max(0, len(text) - max(0, room)) :] if room > 0 else ""
    while cell_len(tail) > room > 0:
        tail = tail[1:]
    return f"{head}…{tail}"


def title_line(name: Text, columns: Sequence[Column], widths: Sequence[int]) -> Text:
    """The line of titles: a name, then the titles of the other columns."""
    sized = zip(columns, widths, strict=True)
    return _side_by_side([name, *(fit(Text(column.title, "weak"), width, column.right) for column, width in sized)])


def row_line(columns: Sequence[Column], widths: Sequence[int], index: int) -> Text:
    """The line of the cells at `index`."""
    sized = zip(columns, widths, strict=True)
    return _side_by_side([fit(column.cells[index], width, column.right, column.both_ends) for column, width in sized])


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken between words, or within a word that is too long.

    A number stays with its unit.
    """
    lines: list[str] = []
    for word in _WORDS.findall(text.replace(EMOJI_SELECTOR, "")):
        if lines and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, max(2, width))
    return lines


def marked(mark: str, text: str, style: str, width: int) -> list[Text]:
    """The wrapped text after a mark of one cell. Further lines are indented."""
    return [Text(f"{' ' if place else mark} {line}", style) for place, line in enumerate(wrapped(text, width - 2))]


def heading(text: str, more: str = "") -> Text:
    """A title with an optional remark."""
    return Text.assemble((text, "title"), (f"  {more}" if more else "", "weak"))


def beside(left: Sequence[Text], right: Sequence[Text], width: int, between: Text) -> list[Text]:
    """Two texts side by side, the left one in exactly `width` cells."""
    both = zip_longest(left, right, fillvalue=Text(""))
    return [Text.assemble(fit(one, width), between, other) for one, other in both]


def keys_line(keys: str, width: int) -> Text:
    """The last line of a screen: keys, two blanks apart. If there is no room for all, the last but one goes first."""
    words = keys.split("  ")
    while len(words) > 1 and len("  ".join(words)) + 1 > width:
        words.pop(-2)
    return fit(Text(" " + "  ".join(words), "weak"), width)


def bounded(lines: Sequence[Text], width: int, height: int) -> list[Text]:
    """The first `height` lines, each cut to `width` cells."""
    kept = [_steady(line.copy()) for line in lines[:height]]
    for line in kept:
        line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
    return kept


def _steady(line: Text) -> Text:
    if EMOJI_SELECTOR not in line.plain:
        return line
    return Text("", line.style, end=line.end).join(line.split(EMOJI_SELECTOR, include_separator=False))


def _side_by_side(cells: Sequence[Text]) -> Text:
    return Text(" " * GAP).join(cells)
