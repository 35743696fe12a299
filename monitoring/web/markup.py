"""Names, states, times and links as HTML.

Names, URLs and texts of servers are data: they are made printable, escaped, and isolated in their direction of writing.
"""

from hashlib import sha256

from markupsafe import Markup, escape

from monitoring.display.view_model.overview import slug
from monitoring.display.view_model.values import SiteRow
from monitoring.display.words import GLYPHS, time_text
from monitoring.models import State
from monitoring.names import printable

# Thousands of rows are made of text that is escaped by hand here, because that is faster than `Markup.format`.


def name_html(text: str) -> Markup:
    """A name, whatever characters are in it."""
    return Markup(f"<bdi>{escape(printable(text))}</bdi>")  # noqa: S704 - escaped


def glyph_and_word(state: State, glyph: str, word: str) -> Markup:
    """A glyph and a word in the colour of a state."""
    return Markup('<span class="state {}"><span aria-hidden="true">{}</span> {}</span>').format(str(state), glyph, word)


STATES_HTML = {state: glyph_and_word(state, glyph, str(state)) for state, glyph in GLYPHS.items()}
ONGOING, OVER = glyph_and_word(State.DOWN, GLYPHS[State.DOWN], "ongoing"), glyph_and_word(State.UP, "✔", "over")


def state_html(state: State) -> Markup:
    """A state as glyph and word."""
    return STATES_HTML[state]


def count_html(state: State, count: int) -> Markup:
    """The number of sites in a state."""
    return Markup('<span class="count">{} {}</span>').format(count, STATES_HTML[state])


def time_html(moment_ms: int) -> Markup:
    """A time in UTC to the second, in a readable form: date and time, each in one piece."""
    exact = time_text(moment_ms)
    return Markup('<time datetime="{}"><span>{}</span> <span>{}</span></time>').format(exact, exact[:10], exact[11:19])


def place_id(location: str) -> str:
    """A location in addresses and keys, whatever characters are in its name."""
    return sha256(location.encode()).hexdigest()[:6]


def link_html(row: SiteRow) -> Markup:
    """The name of a site as a link to its page."""
    return Markup(f'<a href="site/{escape(slug(row.host))}">{name_html(row.name or row.host)}</a>')  # noqa: S704 - escaped


def place_html(location: str) -> Markup:
    """The location, to follow the name of a site."""
    return Markup(f' <span class="place">{escape(printable(location))}</span>' if location else "")  # noqa: S704 - escaped
