"""The help of the live screen: its keys, and the meaning of everything on it. Pure."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from monitoring.display.drawing.chart import LETTERS
from monitoring.display.drawing.grid import bounded, wrapped
from monitoring.display.words import GLYPHS, plural

KEYS: Mapping[str, str] = {
    "↑ ↓ PgUp PgDn": "move; Home, End: to the first, the last site",
    "w": "window of TREND, P50 and P95: 10 minutes or an hour",
    "!": "only sites with a fault, or all",
    "v": "or Enter: the viewer on top, with filter, sort, other windows and the past; q there comes back",
    "?": "this help; any other key leaves it",
    "q": "stop monitoring, after a question",
}

STATES: Mapping[str, str] = {
    "up": "the last check was good",
    "failing": "the last check failed, no alert is open yet",
    "down": "an alert is open",
    "recovering": "an alert is open, the last check was good",
    "unknown": "nothing measured for more than three intervals",
    "maintenance": "somebody works on it: no alert, and neither up nor down",
    "paused": "not checked: the configuration says so",
}

COLUMNS: Mapping[str, str] = {
    "STATE": "and for how long: 16s, 1m13 (minutes, seconds), 2h05, 3d04",
    "10m 1h 24h 30d": "availability in percent, cut off: 100 means that nothing failed; 24h and 30d are of the local file",
    "NOW": "mean response time of the newest minute",
    "P50 P95": "half of the checks, and 95 of 100, took no longer",
    "TREND": "a mark each minute (of 10m) or three minutes (of 1h), the newest on the right; its height is the P95, "
    "on one logarithmic scale for all sites. ▒ less than half of the checks failed, x half or more, · nothing measured",
    "WHY": "why the last check failed; the site under the cursor tells it whole",
    "INCIDENTS": "✖ open, ✔ over: when (local time), how long, which site, cause, availability at the alert. "
    "Outages less than half an hour apart are one line",
    "recovers in": "at the earliest, if every check passes",
}


TERM_WIDTH = 14


def guide_lines(width: int, height: int, top: int) -> Sequence[Text]:
    """The lines of the help that fit, from `top` on, but never less than the last page."""
    lines = _all_lines(width)
    first = min(top, _last_top(lines, height))
    more = len(lines) - first - (height - 1)
    foot = Text(f" {plural(more, 'more line')}: ↓" if more > 0 else " any key leaves the help", "weak")
    return bounded([*lines[first : first + max(0, height - 1)], foot], width, height)


def last_top(width: int, height: int) -> int:
    """The first line of the last page."""
    return _last_top(_all_lines(width), height)


def _last_top(lines: Sequence[Text], height: int) -> int:
    return max(0, len(lines) - height + 1)


def marked_states() -> Mapping[str, str]:
    """The meanings of the states, by glyph and name."""
    return {f"{glyph} {state}": STATES[state] for state, glyph in GLYPHS.items()}


def _all_lines(width: int) -> list[Text]:
    width = max(20, width)
    causes = ", ".join(f"{letter} {cause}" for cause, letter in LETTERS.items())
    letters = {"letters": f"causes in the strip of the past hour, small where less than half failed: {causes}"}
    parts = {"KEYS": KEYS, "STATES": marked_states(), "ON THE SCREEN": {**COLUMNS, **letters}}
    lines: list[Text] = []
    for title, terms in parts.items():
        lines += [Text(f" {title}", "title"), *term_lines(terms, width)]
    return lines


def term_lines(terms: Mapping[str, str], width: int) -> list[Text]:
    """Terms with their meanings, which are wrapped beside them."""
    lines: list[Text] = []
    for term, meaning in terms.items():
        said = wrapped(meaning, max(8, width - TERM_WIDTH - 3))
        named = [f"  {term:<{TERM_WIDTH}} ", *([" " * (TERM_WIDTH + 3)] * (len(said) - 1))]
        lines += [Text.assemble((name, "title"), text) for name, text in zip(named, said, strict=True)]
    return lines
