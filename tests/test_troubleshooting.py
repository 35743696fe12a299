"""docs/troubleshooting.md explains every message about trouble, and none that the program does not say."""

import pytest

from tests.support.documents import DOCUMENTS, rows
from tests.support.messages import GAP, every_template, said

MESSAGES = [row[0].strip("` ") for row in rows(DOCUMENTS["docs/troubleshooting.md"])]
TEMPLATES = every_template()

ELSEWHERE = {
    *("gateway.legacy_api", "gateway.store_api", "gateway.requests", "gateway.application"),  # told to programs, by HTTP
    *("display.drawing.screen", "viewer.frames", "web.cells"),  # drawn on a screen or a page, which docs/ describe
}
"""Modules that tell people of no trouble."""

NO_TROUBLE = {
    *(
        "gateway at …, database …",
        "status page at …://…/",
        "new configuration: …",
    ),
    *(
        "a drill on your …: a site goes down, and comes back",
        "a notification to a local web hook, which must receive one message",
    ),
    *("    and hourly and daily summaries, from … on", "Deleted here.", "To be deleted: everything before … of …"),
    *(
        " (see character …)",
        " and the ",
        "1 summary",
        "an InfluxDB",
        "a temporary file",
        "no PEM",
        "…: … was due, the rule decided on …",
    ),
}
"""Told when all is well, or parts of other messages."""


def pieces(message: str) -> list[str]:
    """What of it is always the same."""
    stripped = (piece.strip(" :;,.()\n") for piece in plain(message).split(GAP))
    return [piece for piece in stripped if piece]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_program_can_say_it(message: str) -> None:
    """Each piece of it stands in some text of the source. (A message may be put together from several.)"""
    assert [piece for piece in pieces(message) if not any(piece in text for text in map(plain, TEMPLATES))] == []


def plain(text: str) -> str:
    """As the document writes it: backticks have a meaning there."""
    return text.replace("`", "")


def told() -> list[tuple[str, str]]:
    """Module and text of every message that a person may read."""
    found = {(module.removeprefix("monitoring."), text) for module, text in said()}
    sentences = {(module, text) for module, text in found if " " in text.strip() and pieces(text)}
    return sorted((module, text) for module, text in sentences if module not in ELSEWHERE and text not in NO_TROUBLE)


@pytest.mark.parametrize(("module", "message"), told())
def test_it_is_explained(module: str, message: str) -> None:
    longest = max(pieces(message), key=len)
    assert any(longest in plain(known) for known in MESSAGES)
