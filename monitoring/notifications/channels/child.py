"""Channels whose messages a program sends, with a time limit: what hangs can be given up only in a process of its own."""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from monitoring.models import Alert
from monitoring.notifications.base import Undelivered

LONGEST_OUTPUT = 100_000
PATIENCE_S = 30.0
HIDDEN = "***"


class Child:
    """Runs one program at a time, in a session of its own: Ctrl-C on the terminal is not meant for it."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str], given: bytes, timeout_s: float) -> tuple[int, bytes, bytes]:
        """Exit status, output and errors of the program, which gets `given` on its standard input. Raises `Undelivered`."""
        pipe = subprocess.PIPE
        try:
            child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)  # noqa: S603
        except (OSError, ValueError) as error:
            raise Undelivered(getattr(error, "strerror", None) or "cannot be started") from None
        self._running = child
        try:
            output, errors = child.communicate(given, timeout_s)
        except subprocess.TimeoutExpired:
            raise Undelivered(f"no answer within {timeout_s:g} s") from None
        finally:
            self.close()
            self._running = None
        return child.returncode, output[:LONGEST_OUTPUT], errors[:LONGEST_OUTPUT]

    def close(self) -> None:
        """Kill what is running, with all that it has started. From any thread."""
        child = self._running
        if child is None:
            return
        if child.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()


class ByChild:
    """What channels have in common that give each message to a program."""

    takes_level = False

    def __init__(self) -> None:
        self._child = Child()

    def tell_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._child.close()


def without(secrets: Iterable[str], text: str, shortest: int) -> str:
    """The text with these hidden, the longest first; those of fewer than `shortest` characters may be words."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= shortest:
            text = text.replace(secret, HIDDEN)
    return text
