"""The notification mode: the history of alerts and recoveries, then each new one as it comes."""

import signal
import threading
from collections.abc import Callable, Mapping, Sequence

from monitoring.clock import Clock, SystemClock
from monitoring.config import Config
from monitoring.errors import StoreError
from monitoring.history_output import HistoryOutput, open_history_output
from monitoring.models import Alert, Window
from monitoring.states import outage_is_open
from monitoring.store.base import Reader
from utils import choose_reader

POLL_S = 1.0

END_MS = 7_258_118_400_000
"""The year 2200: whatever the clocks of the monitors said that wrote the history."""

DELIVERED_WITHIN_MS = 86_400_000
"""How far before the newest record older ones are still looked for: a database may get them late."""


class AlertWatcher:
    """Reads the records of alerts that monitors elsewhere write, and shows each of them once."""

    def __init__(self, open_reader: Callable[[], Reader], output: HistoryOutput, clock: Clock) -> None:
        """`open_reader` chooses the store anew: another one may know more than the last."""
        self._open_reader = open_reader
        self._output = output
        self._clock = clock
        self._shown: set[tuple[int, str]] = set()
        self._last: dict[str, Alert] = {}
        self._newest_ms = 0

    def step(self) -> list[Alert]:
        """Ask once; shows and returns what is new, oldest first. Raises `StoreError` when there is nothing to read."""
        reader = self._open_reader()
        try:
            history = reader.alerts(Window(max(0, self._newest_ms - DELIVERED_WITHIN_MS), END_MS))
        finally:
            reader.close()
        new = [alert for alert in history if (alert.time_ms, alert.host) not in self._shown]
        for alert in new:
            self._shown.add((alert.time_ms, alert.host))
            self._newest_ms = max(self._newest_ms, alert.time_ms)
            self._last[alert.host] = max(self._last.get(alert.host, alert), alert, key=lambda it: it.time_ms)
            self._output.transition(alert)
        return new

    def ongoing(self) -> Sequence[Alert]:
        """The outages that are not over, oldest first."""
        return sorted(filter(outage_is_open, self._last.values()), key=lambda alert: alert.start_ms)

    def run(self, stop: threading.Event) -> None:
        """Follow the history until `stop`."""
        while not stop.is_set():
            try:
                self.step()
                self._output.refresh(self.ongoing(), self._clock.now_ms(), None)
            except StoreError as error:
                self._output.refresh(self.ongoing(), self._clock.now_ms(), str(error))
            self._clock.wait(stop, POLL_S)


def watch(config: Config, form: str, *, once: bool, environ: Mapping[str, str]) -> int:
    """`-a`: show the history, then follow it until Ctrl-C or SIGTERM."""
    clock = SystemClock()
    output = open_history_output(form, {site.host: site.name for site in config.sites}, environ, live=not once)
    watcher = AlertWatcher(lambda: choose_reader(config, clock), output, clock)
    if once:
        watcher.step()
        output.refresh(watcher.ongoing(), clock.now_ms(), None)
        return 0
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        watcher.run(stop)
    finally:
        output.close()
    return 0
