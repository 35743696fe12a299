"""Over a hundred services by `apprise`, one URL each.

apprise runs in a process of its own, for each message: there a service that hangs can be given up, and the monitor does not
keep the 30 MB that it takes.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.display.words import printable
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.channels.child import PATIENCE_S, ByChild, Child, without
from monitoring.trust import MOZILLA, Trust

PROGRAM = Path(__file__).with_name("service_process.py")
SHORTEST_SECRET = 3
LONGEST_REASON = 300


class Service(ByChild):
    """Keeps `Channel`."""

    def __init__(self, config: ChannelConfig) -> None:
        super().__init__()
        self._url = config.url
        self._certificates = certificates_of(config.trust)

    def send(self, message: Message) -> None:
        kind = "success" if message.event == "recovery" else "failure"
        task: dict[str, object] = {"urls": [self._url], "title": message.title, "text": message.text, "kind": kind}
        task["certificates"] = self._certificates
        answer = _ask(self._child, task)[0]
        if answer["reason"] is not None:
            raise Undelivered(without_secrets(answer["reason"], self._url), is_final=bool(answer["is_final"]))


def certificates_of(trust: Trust) -> Sequence[str]:
    """The files of what is trusted; none where that is Mozilla's list alone, which is what services expect."""
    import certifi

    return [] if trust == MOZILLA else [trust.roots or certifi.where(), *trust.additional]


def problems(urls: Sequence[str]) -> Sequence[str | None]:
    """Why apprise cannot use each of these; None: it can. Nothing is sent."""
    try:
        answers = _ask(Child(), {"urls": list(urls)})
    except Undelivered as error:
        return [f"cannot be checked: {error}"] * len(urls)
    return [answer["reason"] for answer in answers]


def _ask(child: Child, task: object) -> Any:
    """Let the process do it. Raises `Undelivered`."""
    status, output, _ = child.run([sys.executable, "-P", str(PROGRAM)], json.dumps(task).encode(), PATIENCE_S)
    try:
        return json.loads(output)
    except ValueError:
        raise Undelivered(f"apprise ended with status {status}") from None


def without_secrets(reason: str, url: str) -> str:
    """The reason on one line, with every part of the URL hidden, as it stands there or decoded."""
    text = printable(" ".join(reason.split()))
    parts = {part for found in (url, unquote(url)) for part in re.split(r"[/:@?&=#,;+\s]+", found.partition("://")[2])}
    return without(parts, text, SHORTEST_SECRET)[:LONGEST_REASON]
