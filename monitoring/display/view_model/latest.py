"""What is kept of everything that is newest: by an output that shows nothing itself, for who draws or serves it."""

from collections.abc import Callable, Sequence

from monitoring.display.view_model.values import Closing, Header, StatsReport, Statuses, View, with_statuses
from monitoring.models import Alert

NOTICE_MS, MOST_NOTICES = 600_000, 3
"""How long an event stays in the header, and how many do. What lasts stands there as long as it does."""


class Notices:
    """Events of the program itself, which stay in the header for a while."""

    def __init__(self) -> None:
        self._told: list[tuple[str, int]] = []

    def add(self, text: str, now_ms: int) -> None:
        self._told = [*self._told, (text, now_ms)][-MOST_NOTICES:]

    def recent(self, now_ms: int) -> Sequence[str]:
        return [text for text, since_ms in self._told if now_ms - since_ms < NOTICE_MS]


class LatestView:
    """Keeps `Output`: print mode's reader fills it. `view` is all that was read, `error` why nothing can be read now."""

    def __init__(self, now_ms: int, say: Callable[[str], None]) -> None:
        """`say` tells whoever started the program."""
        self._say = say
        self._reports: dict[int, StatsReport] = {}
        self.error: str | None = None
        self.view = View(Header(0, ""), now_ms)

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:  # noqa: ARG002 - all are read
        self.view = View(header, now_ms)

    def statistics(self, report: StatsReport) -> None:
        self._reports[report.length_ms] = report

    def state_change(self, alert: Alert, name: str | None) -> None: ...

    def history(self, alerts: Sequence[Alert]) -> None: ...

    def notice(self, text: str) -> None:
        self._say(text)

    def news(self, text: str) -> None:
        self._say(text)

    def read_error(self, text: str | None) -> None:
        if text and text != self.error:
            self._say(text)
        self.error = text

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        reports = [self._reports[length_ms] for length_ms in sorted(self._reports)]
        if reports:
            reports[0] = with_statuses(reports[0], statuses())
        self.view = View(header, now_ms, tuple(reports), (), tuple(ongoing))

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, closing: Closing | None) -> None: ...
