"""The help page: the effect of every key, and the meanings of the screen's words and marks. Pure."""

from collections.abc import Mapping

from monitoring.display.drawing.guide import COLUMNS, marked_states

KEYS: Mapping[str, str] = {
    "↑ ↓ j k": "one line up or down",
    "PgUp PgDn": "one page up or down",
    "g G": "to the first line, to the last one",
    "enter": "the screen of one site",
    "esc": "back; at the list of sites: no filter, then the present",
    "/": "filter: name, URL, group:shop, tag:eu, state:down, cause:dns; ! before a word inverts it",
    "!": "only faults",
    "s r": "sort by state, name, availability, response time, since; reverse the order",
    "w 1-5": "window: 10 min, 1 h, 24 h, 7 d, 30 d",
    "← →": "one window back in time, or forth",
    "t": "go to a time: 18:05, 2026-11-28 18:05, -2h",
    "end": "back to the present",
    "p": "pause: what is shown stays, until p or end",
    "e": "explain why the site is in its state: checks, sum, rule",
    "a": "incidents; enter shows the site, e explains the alert",
    "l": "one location alone, then the next one, then all",
    "T": "theme: auto, dark, light, mono",
    "y": "copy the line, or the text, to the clipboard (OSC 52)",
    "S": "save the screen as SVG",
    "?": "this help",
    "q Q": "quit; quit and keep the screen in the terminal",
    "mouse": "click: the line; again: the site; wheel: up and down",
}
"""Keys as people write them, with their effects."""

GLOSSARY: Mapping[str, str] = {
    "availability": "share of the measured time in which checks were good, in percent, cut off, never rounded up",
    "coverage": "share of a window that was measured; what nobody measured is neither up nor down",
    "p50 p95 p99": "half of the good checks, 95 %, 99 % of them took at most so long",
    "NOW": COLUMNS["NOW"],
    "TREND": "response time, one mark a minute or more; the height is the p95, on a scale that all lines share",
    "▒ x ·": "less than half of the mark's checks failed; half or more; nothing was measured",
    "WHY": "why the last check failed",
    "PAST": "what is shown is of a moment in the past",
    "merged": "outages that follow each other within 30 min stand in one line",
}


def help_parts() -> Mapping[str, Mapping[str, str]]:
    """The headings of the help page, with their terms and meanings."""
    return {"Keys": KEYS, "States": marked_states(), "Words and marks": GLOSSARY}
