"""What a running monitor shows, drawn in a thread of its own: a terminal that stands still delays nothing.

A terminal stands still when somebody has pressed Ctrl-S, a pipe when its reader has stopped. What is handed over
meanwhile waits: every state change and every notice, and of what is only true for a while the newest.
"""

import errno
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

from monitoring.display import Closing, Header, StatsReport
from monitoring.display.outputs import Output
from monitoring.display.streams import Descriptor
from monitoring.display.values import Statuses
from monitoring.models import Alert

PATIENCE_S = 0.25
"""How long the end waits for a terminal that takes nothing."""

LONGEST_CLOSE_S = 5.0
"""How long for one that takes a little now and then."""

Key = tuple[str, int]


class DisplayThread:
    """Keeps `Display`: hands everything on to `output`, in order, from its own thread.

    What is replaced by something newer takes the newer one's place in the order.
    """

    def __init__(self, output: Output, streams: Sequence[Descriptor] = ()) -> None:
        """`streams`: where `output` writes."""
        self._output = output
        self._streams = tuple(streams)
        self._waiting: OrderedDict[Key, Callable[[], None]] = OrderedDict()
        self._numbers = count()
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._closing = False
        self._said: str | None = None
        self._progress: Sequence[int | None] = ()
        self.failure: BrokenPipeError | None = None

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._thread.start()
        self._keep(lambda: self._output.start(header, now_ms, recent))

    def statistics(self, report: StatsReport) -> None:
        self._replace(("statistics", report.length_ms), lambda: self._output.statistics(report))

    def state_change(self, alert: Alert, name: str | None) -> None:
        self._keep(lambda: self._output.state_change(alert, name))

    def notice(self, text: str) -> None:
        self._keep(lambda: self._output.notice(text))

    def news(self, text: str) -> None:
        self._keep(lambda: self._output.news(text))

    def trouble(self, text: str | None) -> None:
        self._replace(("trouble", 0), lambda: self._output.trouble(text))

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        self._replace(("refresh", 0), lambda: self._output.refresh(header, now_ms, statuses, ongoing))

    def close(self, closing: Closing | None) -> None:
        """Show what waits, then this, as far as the terminal takes it: one that stands still is not waited for."""
        if not self._thread.is_alive():
            return
        with self._more:
            self._waiting["close", 0] = partial(self._output.close, closing)
            self._closing = True
            self._more.notify()
        self.stands_still()
        for _ in range(round(LONGEST_CLOSE_S / PATIENCE_S)):
            self._thread.join(PATIENCE_S)
            if not self._thread.is_alive() or self.stands_still():
                return

    def call_back(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the display's thread, once it has come so far: never while it is stuck or has ended."""
        self._replace(("call back", 0), heard)

    def stands_still(self) -> bool:
        """Has the terminal taken nothing since this was asked last? That is its user's wish, and no fault of ours."""
        before, self._progress = self._progress, [stream.progress() for stream in self._streams]
        return any(pieces is not None and pieces == was for pieces, was in zip(self._progress, before, strict=False))

    def _keep(self, show: Callable[[], None]) -> None:
        self._replace(("kept", next(self._numbers)), show)

    def _replace(self, key: Key, show: Callable[[], None]) -> None:
        with self._more:
            self._waiting.pop(key, None)
            self._waiting[key] = show
            self._more.notify()

    def _run(self) -> None:
        while show := self._next():
            try:
                show()
            except OSError as error:
                if _has_gone(error):
                    self.failure = BrokenPipeError()
                    return
                self._say(f"what is printed is lost: {error.strerror}")  # a full disk, perhaps, and not for ever
            except Exception as error:  # noqa: BLE001 - one thing that cannot be drawn must not end all others
                self._say(f"the display: {type(error).__name__}: {error}")

    def _next(self) -> Callable[[], None] | None:
        """What is to be shown next, as soon as there is something; None after the end."""
        with self._more:
            self._more.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popitem(last=False)[1] if self._waiting else None

    def _say(self, text: str) -> None:
        """Once: what cannot be drawn now cannot be drawn in a second either."""
        if text != self._said:
            self._said = text
            self.notice(text)


def _has_gone(error: OSError) -> bool:
    """Was whoever read what we print a pipe or a terminal that is closed now?"""
    return isinstance(error, BrokenPipeError) or error.errno == errno.EIO
