"""Lines on the terminal. Only changed lines are sent again."""

from collections.abc import Sequence

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from rich.theme import Theme as RichTheme
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from monitoring.display.drawing.theme import Theme


class Canvas(Widget):
    """A widget that draws texts whose styles are names of tokens."""

    DEFAULT_CSS = "Canvas { width: 100%; height: 100%; }"

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._drawn: Sequence[Text] = ()
        self._strips: list[Strip] = []
        self.paint(theme)

    def paint(self, theme: Theme) -> None:
        """Use these colours from now on."""
        self._base = Style(color=theme.text or None, bgcolor=theme.background or None)
        self._renderer = Console(theme=RichTheme(theme.tokens, inherit=False), color_system="truecolor")
        self._drawn, self._strips = (), []

    def draw(self, lines: Sequence[Text]) -> None:
        """Show these lines."""
        known = dict(enumerate(zip(self._drawn, self._strips, strict=True)))
        strips = []
        for place, line in enumerate(lines):
            was = known.get(place)
            strips.append(was[1] if was and _is_same(was[0], line) else self._strip(line))
        changed = [
            place for place, strip in enumerate(strips) if place >= len(self._strips) or strip is not self._strips[place]
        ]
        is_shorter = len(strips) < len(self._strips)
        self._drawn, self._strips = lines, strips
        if is_shorter or len(changed) > len(strips) // 2:
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, place, self.size.width, 1) for place in changed))

    def _strip(self, line: Text) -> Strip:
        segments = [part for part in line.render(self._renderer) if part.text != "\n"]
        whole = self._renderer.get_style(line.style)  # rich leaves it out where no part has a style of its own
        return Strip(Segment.apply_style(segments, self._base + whole), line.cell_len)

    def render_line(self, y: int) -> Strip:
        """The line at this height; blank if there is none."""
        if y >= len(self._strips):
            return Strip.blank(self.size.width, self._base)
        return self._strips[y].adjust_cell_length(self.size.width, self._base)


def _is_same(one: Text, other: Text) -> bool:
    return one == other and one.spans == other.spans and one.style == other.style
