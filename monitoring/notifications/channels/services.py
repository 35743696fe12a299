"""Over a hundred services, each by one URL, with `apprise`.

apprise runs in a separate process for each message. So a service that hangs can be aborted, and the 21 MB of apprise do
not stay in the monitor.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.names import printable
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.channels.child import PATIENCE_S, ByChild, Child, without
from monitoring.trust import MOZILLA, Trust

PROGRAM = Path(__file__).with_name("service_process.py")
SHORTEST_SECRET = 3
LONGEST_REASON = 300


class Service(ByChild):
    """Implements `Channel`."""

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
    """The files of trusted certificates; none if only Mozilla's list is trusted, which suits apprise's services as it is."""
    import certifi

    return [] if trust == MOZILLA else [trust.roots or certifi.where(), *trust.additional]


def problems(urls: Sequence[str]) -> Sequence[str | None]:
    """For each URL, why apprise cannot use it; None: it can. Nothing is sent."""
    try:
        answers = _ask(Child(), {"urls": list(urls)})
    except Undelivered as error:
        return [f"cannot be checked: {error}"] * len(urls)
    return [answer["reason"] for answer in answers]


def _ask(child: Child, task: object) -> Any:
    """Run the task in the process. Raises `Undelivered`."""
    status, output, _ = child.run([sys.executable, "-P", str(PROGRAM)], json.dumps(task).encode(), PATIENCE_S)
    try:
        return json.loads(output)
    except ValueError:
        raise Undelivered(f"apprise ended with status {status}") from None


def without_secrets(reason: str, url: str) -> str:
    """The reason on one line, with every part of the URL hidden, both as written and decoded."""
    text = printable(" ".join(reason.split()))
    parts = {part for found in (url, unquote(url)) for part in re.split(r"[/:@?&=#,;+\s]+", found.partition("://")[2])}
    return without(parts, text, SHORTEST_SECRET)[:LONGEST_REASON]
