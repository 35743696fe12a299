"""Channels that run a program for each message, with a time limit: only a separate process can be aborted when it hangs."""

import os
import selectors
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from monitoring.clock import Deadline, SystemClock
from monitoring.models import Alert
from monitoring.notifications.base import Undelivered

LONGEST_OUTPUT = 100_000
PIECE = 65_536
LOOK_S = 0.1
"""How often to look whether the program has ended."""
PATIENCE_S = 30.0
HIDDEN = "***"


class Child:
    """Runs one program at a time, in its own session, so that Ctrl-C on the terminal does not reach it."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str], given: bytes, timeout_s: float) -> tuple[int, bytes, bytes]:
        """Run the program with `given` on standard input. Returns exit status, output and errors. Raises `Undelivered`."""
        pipe = subprocess.PIPE
        try:
            child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)  # noqa: S603
        except (OSError, ValueError) as error:
            raise Undelivered(getattr(error, "strerror", None) or "cannot be started") from None
        self._running = child
        until = Deadline.after(SystemClock(), round(timeout_s * 1_000))
        try:
            output, errors = Exchange(child, given).run(until)
            child.wait(until.left_s())
        except subprocess.TimeoutExpired:
            raise Undelivered(f"no answer within {timeout_s:g} s") from None
        finally:
            self.close()
            self._running = None
        return child.returncode, output, errors

    def close(self) -> None:
        """Kill the program and everything that it has started. Any thread may call it."""
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


class Exchange:
    """Writes the input of a program and reads its output, of which it keeps only the end."""

    def __init__(self, child: subprocess.Popen[bytes], given: bytes) -> None:
        self._child = child
        self._left = memoryview(given)
        self._found = {child.stdout: bytearray(), child.stderr: bytearray()}

    def run(self, until: Deadline) -> tuple[bytes, bytes]:
        """Return output and errors. Raises `subprocess.TimeoutExpired`.

        The exchange ends with the program, even if something that it has started in the background continues.
        """
        with selectors.DefaultSelector() as pipes:
            for stream in (self._child.stdin, *self._found):
                assert stream  # noqa: S101 - all are pipes
                os.set_blocking(stream.fileno(), False)
                pipes.register(stream, selectors.EVENT_WRITE if stream is self._child.stdin else selectors.EVENT_READ)
            while pipes.get_map():
                has_ended = self._child.poll() is not None
                ready = pipes.select(min(LOOK_S, until.left_s()))
                if has_ended and not ready:
                    break
                if not until.left_s():
                    raise subprocess.TimeoutExpired(self._child.args, 0)
                for key, _ in ready:
                    if not self._goes_on(key):
                        pipes.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
        output, errors = self._found.values()
        return bytes(output), bytes(errors)

    def _goes_on(self, key: selectors.SelectorKey) -> bool:
        """Write or read one piece. Returns False after the last one."""
        if key.fileobj is self._child.stdin:
            with suppress(BrokenPipeError):
                self._left = self._left[os.write(key.fd, self._left) :]
                return bool(self._left)
            return False  # the program does not read the rest
        piece, taken = os.read(key.fd, PIECE), self._found[key.fileobj]  # type: ignore[index]
        taken += piece
        del taken[:-LONGEST_OUTPUT]
        return bool(piece)


class ByChild:
    """The common part of channels that run a program for each message."""

    is_level_triggered = False

    def __init__(self) -> None:
        self._child = Child()

    def send_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._child.close()


def without(secrets: Iterable[str], text: str, shortest: int) -> str:
    """The text with these secrets hidden, the longest first; those of fewer than `shortest` characters may be words."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= shortest:
            text = text.replace(secret, HIDDEN)
    return text
