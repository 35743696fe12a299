"""An output that remembers what it was given to show."""

from collections.abc import Callable, Mapping, Sequence

from monitoring.display.text.feed import Ongoing
from monitoring.display.view_model.values import Closing, Header, SiteKey, StatsReport, Statuses
from monitoring.models import Alert, SiteStatus
from monitoring.storage.notifications import Entry


class Shown:
    """Keeps `Display`: notes what it is told."""

    failure: BrokenPipeError | None = None

    def __init__(self) -> None:
        self.recent: Sequence[Alert] = ()
        self.reports: list[StatsReport] = []
        self.transitions: list[Alert] = []
        self.troubles: list[str | None] = []
        self.notices: list[str] = []
        self.header = Header(0, "")
        self.ongoing: Sequence[Alert] = ()
        self.statuses: Mapping[SiteKey, SiteStatus] = {}
        self.closed: list[Closing | None] = []

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self.header, self.recent = header, recent

    def statistics(self, report: StatsReport) -> None:
        self.reports.append(report)

    def state_change(self, alert: Alert, name: str | None) -> None:
        self.transitions.append(alert)

    def history(self, alerts: Sequence[Alert]) -> None:
        self.recent = alerts

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def news(self, text: str) -> None:
        self.notices.append(text)

    def read_error(self, text: str | None) -> None:
        self.troubles.append(text)

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        self.header, self.ongoing, self.statuses = header, ongoing, statuses()

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, closing: Closing | None) -> None:
        self.closed.append(closing)

    def call_back(self, heard: Callable[[], None]) -> None: ...

    def stands_still(self) -> bool:
        return False

    def lengths(self) -> list[int]:
        """The windows shown since it was asked last, in seconds."""
        found = [report.window.length_ms // 1_000 for report in self.reports]
        self.reports.clear()
        return found


class ShownHistory:
    """Keeps `HistoryOutput`: notes what it is told."""

    def __init__(self) -> None:
        self.records: list[Alert] = []
        self.refreshed: list[tuple[list[Alert], str | None]] = []

    def state_change(self, alert: Alert, delivery: Sequence[Entry] = ()) -> None:
        self.records.append(alert)

    def refresh(self, ongoing: Ongoing, now_ms: int, read_error: str | None) -> None:
        self.refreshed.append((list(ongoing), read_error))
        self.ongoing = ongoing

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None: ...
