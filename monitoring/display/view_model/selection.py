"""Which sites a filter leaves. Pure."""

from collections.abc import Iterable, Sequence

from monitoring.display.view_model.values import SiteRow

FIELDS = ("state", "cause", "group", "tag", "location")
"""What a word of a filter may name before a colon."""


def selected(rows: Iterable[SiteRow], wanted: str) -> Sequence[SiteRow]:
    """The rows that every word of the filter fits, in their order.

    A word is part of a name or URL, or of what it names: `state:down`, `cause:dns`, `group:shop`, `tag:eu`. With `!` before
    it, it must not fit. Upper and lower case are the same. A lone `!` is a word that is still to be typed.
    """
    words = [word for word in wanted.casefold().split() if word != "!"]
    return [row for row in rows if all(_fits(row, word.removeprefix("!")) != word.startswith("!") for word in words)]


def _fits(row: SiteRow, word: str) -> bool:
    field, colon, value = word.partition(":")
    if not colon or field not in FIELDS:
        return any(word in text.casefold() for text in (row.name or "", row.host))
    return any(value in text.casefold() for text in _texts(row, field))


def _texts(row: SiteRow, field: str) -> Iterable[str]:
    found: dict[str, Iterable[str]] = {
        "state": (str(row.status.state),),
        "cause": map(str, row.stats.causes),
        "group": (row.group or "",),
        "tag": row.tags,
        "location": (row.location,),
    }
    return found[field]
