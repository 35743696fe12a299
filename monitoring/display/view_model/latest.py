"""An output that keeps the newest of everything, for the page and the viewer."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from monitoring.display.view_model.values import Closing, Header, StatsReport, Statuses, View, with_statuses
from monitoring.models import Alert

NOTICE_MS, MOST_NOTICES = 600_000, 3
"""How long the header shows a notice, and how many. Lasting conditions are notes of the header, not notices."""


class Notices:
    """Notices of the program itself, which the header shows for a while."""

    def __init__(self) -> None:
        self._notices: list[tuple[str, int]] = []

    def add(self, text: str, now_ms: int) -> None:
        self._notices = [*self._notices, (text, now_ms)][-MOST_NOTICES:]

    def recent(self, now_ms: int) -> Sequence[str]:
        return [text for text, since_ms in self._notices if now_ms - since_ms < NOTICE_MS]


class LatestView:
    """Implements `Output`. `view` is all that has been read."""

    def __init__(self, now_ms: int, say: Callable[[str], None]) -> None:
        """Notices and errors go to `say`."""
        self._say = say
        self._reports: dict[int, StatsReport] = {}
        self.view = View(Header(0, ""), now_ms)

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:  # noqa: ARG002 - the reader has all alerts
        self.view = View(header, now_ms)

    def statistics(self, report: StatsReport) -> None:
        self._reports.pop(0, None)  # which has only states
        self._reports[report.length_ms] = report

    def state_change(self, alert: Alert, name: str | None) -> None: ...

    def history(self, alerts: Sequence[Alert]) -> None: ...

    def notice(self, text: str) -> None:
        self._say(text)

    def news(self, text: str) -> None:
        self._say(text)

    def read_error(self, text: str | None) -> None:
        if text and text != self.view.read_error:
            self._say(text)
        self.view = replace(self.view, read_error=text)

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        current = statuses()
        if self._reports:
            shortest_ms = min(self._reports)
            self._reports[shortest_ms] = with_statuses(self._reports[shortest_ms], current)
        reports = tuple(self._reports[length_ms] for length_ms in sorted(self._reports))
        self.view = View(header, now_ms, reports, (), tuple(ongoing), current, self.view.read_error)

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, closing: Closing | None) -> None: ...
