"""docs/troubleshooting.md explains every message about trouble, and none that the program does not say."""

from tests.support.documents import DOCUMENTS, rows
from tests.support.messages import GAP, every_template, said

MESSAGES = [row[0].strip("` ") for row in rows(DOCUMENTS["docs/troubleshooting.md"])]

ELSEWHERE = {
    *("gateway.legacy_api", "gateway.store_api", "gateway.requests", "gateway.application"),  # told to programs, by HTTP
    *("display.drawing.screen", "viewer.frames"),  # drawn on a screen, which docs/ describe
    *("web.cells", "web.lists"),  # on the page
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
        "      sending …, for at most …",
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


def test_the_program_can_say_each_of_them() -> None:
    """Each piece of it stands in some text of the source. (A message may be put together from several.)"""
    texts = [plain(text) for text in every_template()]
    found = {
        message: [piece for piece in pieces(message) if not any(piece in text for text in texts)] for message in MESSAGES
    }
    assert {message: missing for message, missing in found.items() if missing} == {}


def plain(text: str) -> str:
    """As the document writes it: backticks have a meaning there."""
    return text.replace("`", "")


def told() -> list[tuple[str, str]]:
    """Module and text of every message that a person may read."""
    found = {(module.removeprefix("monitoring."), text) for module, text in said()}
    sentences = {(module, text) for module, text in found if " " in text.strip() and pieces(text)}
    return sorted((module, text) for module, text in sentences if module not in ELSEWHERE and text not in NO_TROUBLE)


def test_each_that_it_can_say_is_explained() -> None:
    known = [plain(message) for message in MESSAGES]
    longest = {(module, text): max(pieces(text), key=len) for module, text in told()}
    assert [message for message, piece in longest.items() if not any(piece in text for text in known)] == []
