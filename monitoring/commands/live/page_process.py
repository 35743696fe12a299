"""`-m --web`: the status page in a process of its own, which ends with the monitor. The monitor shows its messages."""

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
    """The process of the page. It is forked, so make it before there are threads.

    It listens before it forks, so that an error in the address is raised at once.
    """

    def __init__(self, invocation: Invocation, config: Config, watcher: ConfigWatcher) -> None:
        """Raises `ConfigError` and `StoreUnavailable`."""
        listener = listener_of(invocation)
        parent = os.getpid()
        reading_end, writing_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reading_end)
            page = PageServer(invocation, config, watcher, listener, lambda: os.getppid() == parent)
            _serve_and_exit(page, writing_end, is_silent=invocation.arguments.silent)
        os.close(writing_end)
        listener.listening.close()
        self._messages: IO[str] = os.fdopen(reading_end, errors="replace")
        self._thread: threading.Thread | None = None

    def report_to(self, say: Callable[[str], None]) -> None:
        """From now on pass the messages of the page to `say`, line by line, and report if it ends unexpectedly."""
        self._thread = threading.Thread(target=self._pass_on, args=(say,), name="page", daemon=True)
        self._thread.start()

    def _pass_on(self, say: Callable[[str], None]) -> None:
        with self._messages:
            for line in self._messages:
                say(line.rstrip("\n"))
        _, status = os.waitpid(self._pid, 0)
        if status:
            say(ENDED)

    def end(self) -> None:
        """End the process, if it still runs."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        if self._thread:
            self._thread.join(END_S)
        else:
            os.waitpid(self._pid, 0)


def _serve_and_exit(page: PageServer, messages: int, *, is_silent: bool) -> NoReturn:
    """The child process: serve the page, and never return into the parent's code. `messages` is a file descriptor."""
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere if is_silent else messages, STDOUT)
        os.dup2(messages, STDERR)
        status = page.run(say=lambda _: None)  # the monitor reports on stores and configuration itself
    except MonitoringError as error:
        os.write(messages, f"{error}\n".encode())
    except (SystemExit, KeyboardInterrupt):
        status = 0
    except BaseException as error:  # noqa: BLE001 - the monitor shows it
        os.write(messages, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)
