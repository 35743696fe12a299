"""A program of its own: reads a task (JSON) from standard input, does it with apprise, writes the answers (JSON).

The task has `urls`; where it has a `text` (and `title`, `kind`), that is sent to each of them, else they are only read. Each
answer has `reason` (None: all is well) and `is_final` (trying again is in vain). It imports nothing of the monitor.
"""

import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MISSING = "apprise is not installed: pip install -r requirements.txt"
UNREADABLE = "is not the URL of a service that apprise knows, or lacks a part that this service needs"

_HTTP_STATUS = re.compile(r"error=(\d{3})")
_SMTP_STATUS = re.compile(r"\brefused: (\d{3}) |\((\d{3}), b")
_NETWORK = re.compile(
    r"\[Errno -?\d+\] [A-Za-z ,]+|(?:Read|Connect(?:ion)?) timed out|timed out|Connection refused|"
    r"certificate verify failed: [A-Za-z ,-]+"
)
TRY_AGAIN = {408, 421, 425, 429}
"""HTTP's 4xx that pass."""


class Words(logging.Handler):
    """Collects what apprise says: warnings, and which network errors stand in its debugging lines."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.warnings: list[str] = []
        self.network: list[str] = []
        self.finals: list[bool] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        for match in _HTTP_STATUS.findall(text):
            self.finals.append(400 <= int(match) < 500 and int(match) not in TRY_AGAIN)
        for match in _SMTP_STATUS.findall(text):
            self.finals.append(int("".join(match)) >= 500)
        if record.levelno >= logging.WARNING:
            self.warnings.append(text)
        elif found := _NETWORK.search(text):
            self.network.append(found[0])


def answer(url: str, task: dict[str, Any]) -> dict[str, object]:
    """What becomes of one URL."""
    import apprise

    words = Words()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [words], False
    logger.setLevel(logging.DEBUG)
    service = apprise.Apprise.instantiate(url)
    if service is None:
        return {"reason": UNREADABLE, "is_final": True}
    if "text" not in task:
        return {"reason": None, "is_final": False}
    if "overflow=" not in url.lower():  # else a service refuses, for good, what is too long for it
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    channel = apprise.Apprise()
    channel.add(service)
    if channel.notify(body=task["text"], title=task["title"], notify_type=task["kind"], body_format="text"):
        return {"reason": None, "is_final": False}
    said = list(dict.fromkeys([*words.warnings, *words.network[-1:]]))
    is_final = bool(words.finals) and all(words.finals)
    return {"reason": "; ".join(said) or "apprise does not say why", "is_final": is_final}


def main() -> None:
    task = json.loads(os.fdopen(0, "rb", closefd=False).read())
    try:
        _trust(task.get("certificates", ()))
        answers = _answers(task)
    except OSError as error:
        answers = [{"reason": f"certificates: {error.strerror}", "is_final": False} for _ in task["urls"]]
    os.write(1, json.dumps(answers).encode())


def _trust(names: Sequence[str]) -> None:
    """Trust the certificates in these files; without any, those that apprise trusts by itself. Raises OSError."""
    if len(names) > 1:  # one file of all, in memory: the disk may be full
        bundle = os.memfd_create("certificates")
        with os.fdopen(bundle, "wb", closefd=False) as file:
            for name in names:
                file.write(Path(name).read_bytes() + b"\n")
        names = [f"/proc/self/fd/{bundle}"]
    for name in names:
        os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = name


def _answers(task: dict[str, Any]) -> list[dict[str, object]]:
    try:
        return [answer(url, task) for url in task["urls"]]
    except ImportError:
        return [{"reason": MISSING, "is_final": False} for _ in task["urls"]]


if __name__ == "__main__":
    main()
