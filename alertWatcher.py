"""The notification mode: the history of alerts and recoveries, then each new one as it comes."""

import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from monitoring.alertlog import AlertLog
from monitoring.clock import Clock, SystemClock
from monitoring.config import Config, ConfigWatcher
from monitoring.errors import StoreError
from monitoring.following import new_config
from monitoring.history_output import HistoryOutput, open_history_output
from monitoring.models import Alert
from monitoring.report import printable
from monitoring.store.base import Reader
from utils import choose_reader

POLL_S = 1.0


class AlertWatcher:
    """Reads the records of alerts that monitors elsewhere write, and shows each of them once."""

    def __init__(self, open_reader: Callable[[], Reader], output: HistoryOutput, clock: Clock) -> None:
        """`open_reader` chooses the store anew: another one may know more than the last."""
        self._open_reader = open_reader
        self._output = output
        self._clock = clock
        self._log = AlertLog()

    def step(self) -> list[Alert]:
        """Ask once; shows and returns what is new, oldest first. Raises `StoreError` when there is nothing to read."""
        reader = self._open_reader()
        try:
            new = self._log.take(reader.alerts(self._log.window()))
        finally:
            reader.close()
        for alert in new:
            self._output.transition(alert)
        return new

    def ongoing(self) -> Sequence[Alert]:
        """The outages that are not over, oldest first."""
        return self._log.ongoing()

    def run(self, stop: threading.Event, look_around: Callable[[], None] = lambda: None) -> None:
        """Follow the history until `stop`; `look_around` is called before each look."""
        while not stop.is_set():
            look_around()
            try:
                self.step()
                self._output.refresh(self.ongoing(), self._clock.now_ms(), None)
            except StoreError as error:
                self._output.refresh(self.ongoing(), self._clock.now_ms(), str(error))
            self._clock.wait(stop, POLL_S)


class Followed:
    """The configuration as it is now, and what `-a` takes from it."""

    def __init__(self, config: Config, watcher: ConfigWatcher, clock: Clock) -> None:
        self._config = config
        self._watcher = watcher
        self._clock = clock
        self.names = {site.host: site.name for site in config.sites}

    def look(self) -> None:
        """Take over what has changed."""
        if config := new_config(self._watcher, lambda text: print(printable(text), file=sys.stderr)):
            self._config = config
            self.names.update((site.host, site.name) for site in config.sites)

    def reader(self) -> Reader:
        return choose_reader(self._config, self._clock)


def watch(config: Config, watcher: ConfigWatcher, form: str, *, once: bool, environ: Mapping[str, str]) -> int:
    """`-a`: show the history, then follow it until Ctrl-C or SIGTERM."""
    clock = SystemClock()
    followed = Followed(config, watcher, clock)
    output = open_history_output(form, followed.names, environ, live=not once)
    alerts = AlertWatcher(followed.reader, output, clock)
    if once:
        alerts.step()
        output.refresh(alerts.ongoing(), clock.now_ms(), None)
        return 0
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: watcher.ask())
    try:
        alerts.run(stop, followed.look)
    finally:
        output.close()
    return 0
