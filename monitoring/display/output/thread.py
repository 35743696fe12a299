"""Calls an output in a thread of its own, so that a stopped terminal delays nothing.

A terminal stops at Ctrl-S, a pipe if its reader stops. Meanwhile this keeps every state change and notice, and the newest of
everything else.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

from monitoring.display.output.outputs import MonitorOutput
from monitoring.display.output.streams import Descriptor, Printing
from monitoring.display.view_model.values import Closing, Header, StatsReport, Statuses
from monitoring.models import Alert

SUSPENSION_S = 0.5
"""How long Ctrl-Z waits for the terminal to be restored."""

PATIENCE_S = 0.25
"""How long `close` waits for a terminal that accepts nothing."""

LONGEST_CLOSE_S = 5.0
"""How long it waits for one that accepts text slowly."""

Key = tuple[str, int]


class DisplayThread:
    """Implements `Display`: calls `output` in its own thread, in order. A replacement goes to the end of the queue."""

    def __init__(self, output: MonitorOutput, streams: Sequence[Descriptor] = ()) -> None:
        """`streams` are those that `output` writes to."""
        self._output = output
        self._streams = tuple(streams)
        self._queue: OrderedDict[Key, Callable[[], None]] = OrderedDict()
        self._numbers = count()
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._closing = False
        self._last_said: str | None = None
        self._printing = Printing(streams, self.notice)
        self._progress: Sequence[int | None] = ()
        self.failure: BrokenPipeError | None = None
        self.is_screen = output.is_screen
        self._open_viewer: Callable[[], None] = _nothing
        self._close_viewer: Callable[[], None] = _nothing

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._thread.start()
        self._append(lambda: self._output.start(header, now_ms, recent))

    def statistics(self, report: StatsReport) -> None:
        self._replace(("statistics", report.length_ms), lambda: self._output.statistics(report))

    def long_window(self, report: StatsReport) -> None:
        self._replace(("long window", report.length_ms), lambda: self._output.long_window(report))

    def use_viewer(self, open_viewer: Callable[[], None], close_viewer: Callable[[], None]) -> None:
        """Register the functions that open a viewer on request, and that close it before the closing summary."""
        self._open_viewer, self._close_viewer = open_viewer, close_viewer

    def key(self, key: str) -> bool:
        self._append(lambda: self._press(key))
        return False

    def _press(self, key: str) -> None:
        if self._output.key(key):
            self._open_viewer()
        else:  # one redraw for all waiting keys, so that a key held down delays nothing
            self._replace(("redraw", 0), self._output.redraw)

    def state_change(self, alert: Alert, name: str | None) -> None:
        self._append(lambda: self._output.state_change(alert, name))

    def history(self, alerts: Sequence[Alert]) -> None:
        self._append(lambda: self._output.history(alerts))

    def notice(self, text: str) -> None:
        self._append(lambda: self._output.notice(text))

    def news(self, text: str) -> None:
        self._append(lambda: self._output.news(text))

    def read_error(self, text: str | None) -> None:
        self._replace(("read error", 0), lambda: self._output.read_error(text))

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        self._replace(("refresh", 0), lambda: self._output.refresh(header, now_ms, statuses, ongoing))

    def suspend(self) -> None:
        """Restore the terminal, and return when that is done or impossible. May be called from a signal handler."""
        done = threading.Event()

        def restore() -> None:
            self._output.suspend()
            done.set()

        self._append(restore)
        done.wait(SUSPENSION_S)

    def resume(self) -> None:
        """Use the terminal again, and redraw. May be called from a signal handler."""
        self._append(self._output.resume)

    def close(self, closing: Closing | None) -> None:
        """Show the queue, then the closing summary, unless the terminal is stopped."""
        self._close_viewer()
        if not self._thread.is_alive():
            return
        with self._more:
            self._queue["close", 0] = partial(self._output.close, closing)
            self._closing = True
            self._more.notify()
        self.stands_still()
        for _ in range(round(LONGEST_CLOSE_S / PATIENCE_S)):
            self._thread.join(PATIENCE_S)
            if not self._thread.is_alive() or self.stands_still():
                return

    def call_back(self, done: Callable[[], None]) -> None:
        """Call `done` in the display's thread after the queue; never, if the thread is stuck or has ended."""
        self._replace(("call back", 0), done)

    def stands_still(self) -> bool:
        """Has the terminal accepted nothing since the last call? Then a person has stopped it, which is not a failure."""
        before, self._progress = self._progress, [stream.progress() for stream in self._streams]
        return any(pieces is not None and pieces == was for pieces, was in zip(self._progress, before, strict=False))

    def _append(self, show: Callable[[], None]) -> None:
        self._replace(("kept", next(self._numbers)), show)

    def _replace(self, key: Key, show: Callable[[], None]) -> None:
        with self._more:
            self._queue.pop(key, None)
            self._queue[key] = show
            self._more.notify()

    def _run(self) -> None:
        while show := self._next():
            try:
                self._printing.attempt(show)
            except BrokenPipeError as error:
                self.failure = error
                return
            except Exception as error:  # noqa: BLE001 - one failed drawing must not end the display
                self._say(f"the display: {type(error).__name__}: {error}")

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next call; None: the end."""
        with self._more:
            self._more.wait_for(lambda: self._queue or self._closing)
            return self._queue.popitem(last=False)[1] if self._queue else None

    def _say(self, text: str) -> None:
        """Show a notice, but not twice in a row."""
        if text != self._last_said:
            self._last_said = text
            self.notice(text)


def _nothing() -> None:
    """Do nothing: there is no viewer."""
