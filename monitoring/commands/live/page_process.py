"""`-m --web`: the status page in a process of its own, which ends with the monitor. What it says, the monitor shows."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, NoReturn

from monitoring.commands.invocation import Invocation
from monitoring.commands.live.web import PageServer, listener_of
from monitoring.config import Config, ConfigWatcher
from monitoring.errors import MonitoringError

ENDED = "the status page has ended; the monitor goes on without it"

END_S = 5.0

STDOUT, STDERR = 1, 2


class PageProcess:
    """Made by `fork`, so before there is any other thread; its address is taken first: an error there is told at once."""

    def __init__(self, invocation: Invocation, config: Config, watcher: ConfigWatcher) -> None:
        """Raises `ConfigError` and `StoreUnavailable`."""
        listener = listener_of(invocation)
        parent = os.getpid()
        said, says = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(said)
            page = PageServer(invocation, config, watcher, listener, lambda: os.getppid() == parent)
            _be_page(page, says, is_silent=invocation.arguments.silent)
        os.close(says)
        listener.listening.close()
        self._said: IO[str] = os.fdopen(said, errors="replace")
        self._thread: threading.Thread | None = None

    def tell(self, say: Callable[[str], None]) -> None:
        """From now on what the page says goes here, line by line, and that it has ended although nobody asked it to."""
        self._thread = threading.Thread(target=self._pass_on, args=(say,), name="page", daemon=True)
        self._thread.start()

    def _pass_on(self, say: Callable[[str], None]) -> None:
        with self._said:
            for line in self._said:
                say(line.rstrip("\n"))
        _, status = os.waitpid(self._pid, 0)
        if status:
            say(ENDED)

    def end(self) -> None:
        """End the page, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        if self._thread:
            self._thread.join(END_S)
        else:
            os.waitpid(self._pid, 0)


def _be_page(page: PageServer, says: int, *, is_silent: bool) -> NoReturn:
    """The other process: serves, and never comes back into what its parent was doing."""
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere if is_silent else says, STDOUT)
        os.dup2(says, STDERR)
        status = page.run(say=lambda _: None)  # the monitor itself tells of its stores and its configuration
    except MonitoringError as error:
        os.write(says, f"{error}\n".encode())
    except (SystemExit, KeyboardInterrupt):
        status = 0
    except BaseException as error:  # noqa: BLE001 - said by the monitor; there is nobody else to hear it
        os.write(says, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)
