"""A separate program: reads a task (JSON) from standard input, sends messages with apprise, and writes the results (JSON).

The task has `urls`. If it has a `text` (with `title` and `kind`), the program sends that to each URL; otherwise it only
checks the URLs. Each result has a `reason` (None: success) and `is_final` (True: trying again is useless). The program
imports nothing of the monitor.
"""

import ast
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MISSING = "apprise is not installed: pip install -r requirements.txt"
UNREADABLE = "is not the URL of a service that apprise knows, or lacks a part that this service needs"

_HTTP_STATUS = re.compile(r"error=(\d{3})")
_SMTP_STATUS = re.compile(r"\brefused: (\d{3}) |\((\d{3}), b")
_SMTP_WORDS = re.compile(r"""\((\d{3}), (b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")""")
_NETWORK = re.compile(
    r"\[Errno -?\d+\] [A-Za-z ,]+|(?:Read|Connect(?:ion)?) timed out|timed out|Connection refused|"
    r"certificate verify failed: [A-Za-z ,-]+"
)
TRY_AGAIN = {408, 421, 425, 429}
"""Statuses below 500 after which trying again may succeed."""

UNNEEDED = ("charset_normalizer", "chardet", "brotli", "brotlicffi", "zstandard", "backports.zstd")
"""What apprise's HTTP client loads to read answers, if it is installed. Only the status matters here; this takes 2 MB."""

ANSWER_S = 20.0
"""How long a service may take to answer, in place of apprise's 4 s: whoever answers later gets the message again."""


class LogCollector(logging.Handler):
    """Collects the warnings of apprise, and the network errors in its debugging output."""

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
            self.warnings.append(text.rstrip("."))
        elif said := _SMTP_WORDS.search(text):
            self.network.append(f"{said[1]} {ast.literal_eval(said[2]).decode(errors='replace')}")
        elif found := _NETWORK.search(text):
            self.network.append(found[0])


def service_of(url: str) -> Any:
    """The service of this URL; None: apprise knows none.

    Only the plugin of its scheme is loaded, if it can be found. All of them would take 14 MB and 0.1 s more.
    """
    import apprise

    with suppress(Exception):  # the disk may be full, or this may be another apprise
        from apprise.manager_plugins import NotificationManager

        manager: Any = NotificationManager()  # type: ignore[no-untyped-call] # a singleton
        if names := _plugins_of(url.partition(":")[0], Path(manager.module_path)):
            with TemporaryDirectory() as folder:
                for name in names:
                    (Path(folder) / f"{name}.py").touch()
                manager.load_modules(folder, manager.module_name_prefix)
            if service := apprise.Apprise.instantiate(url):
                return service
            manager.unload_modules()
    return apprise.Apprise.instantiate(url)


def _plugins_of(scheme: str, folder: Path) -> Sequence[str]:
    """The names of the plugins whose source declares this scheme."""
    declared = re.compile(
        rf"""^    (?:secure_)?protocol\b[^=]*=\s*(?:\([^)]*)?["']{re.escape(scheme.lower())}["']""".encode(), re.MULTILINE
    )
    sources = [file / "base.py" if file.is_dir() else file for file in folder.iterdir()]
    found = [file for file in sources if file.suffix == ".py" and file.is_file() and declared.search(file.read_bytes())]
    return [file.parent.name if file.parent != folder else file.stem for file in found]


def answer(url: str, task: dict[str, Any]) -> dict[str, object]:
    """The result for one URL."""
    import apprise

    service = service_of(url)
    log = LogCollector()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [log], False
    logger.setLevel(logging.DEBUG)
    if service is None:
        return {"reason": UNREADABLE, "is_final": True}
    if "text" not in task:
        return {"reason": None, "is_final": False}
    if "overflow=" not in url.lower():  # otherwise a service refuses messages that are too long for it
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    if "rto=" not in url.lower():
        service.socket_read_timeout = max(ANSWER_S, service.socket_read_timeout)
    channel = apprise.Apprise()
    channel.add(service)
    if channel.notify(body=task["text"], title=task["title"], notify_type=task["kind"], body_format="text"):
        return {"reason": None, "is_final": False}
    reasons = list(dict.fromkeys([*log.warnings, *log.network[-1:]]))
    is_final = bool(log.finals) and all(log.finals)
    return {"reason": "; ".join(reasons) or "apprise does not say why", "is_final": is_final}


def main() -> None:
    task = json.loads(os.fdopen(0, "rb", closefd=False).read())
    sys.modules.update(dict.fromkeys(UNNEEDED))  # type: ignore[arg-type] # None: as if it was not installed
    try:
        _trust(task.get("certificates", ()))
        answers = _answers(task)
    except OSError as error:
        answers = [{"reason": f"certificates: {error.strerror}", "is_final": False} for _ in task["urls"]]
    os.write(1, json.dumps(answers).encode())


def _trust(names: Sequence[str]) -> None:
    """Trust the certificates in these files, or apprise's own choice if there are none. Raises OSError."""
    if len(names) > 1:  # joined in memory, because the disk may be full
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
