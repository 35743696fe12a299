"""Selects the sites that match a filter. Pure."""

from collections.abc import Iterable, Sequence

from monitoring.display.view_model.values import SiteRow

FIELDS = ("state", "cause", "group", "tag", "location")
"""The words that may precede a colon in a filter."""


def selected(rows: Iterable[SiteRow], wanted: str) -> Sequence[SiteRow]:
    """The rows that match every word of the filter, in their order.

    A word matches part of the name or URL, or of a field: `state:down`, `cause:dns`, `group:shop`, `tag:eu`. A word after
    `!` must not match. Case does not matter. A lone `!` is ignored, because its word has not been typed yet.
    """
    words = [word for word in wanted.casefold().split() if word != "!"]
    return [row for row in rows if all(_matches(row, word.removeprefix("!")) != word.startswith("!") for word in words)]


def _matches(row: SiteRow, word: str) -> bool:
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
