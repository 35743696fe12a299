"""The viewer without a store: snapshots of made-up sites, a feed that shows them, and what the screen says."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from monitoring.display.view_model.incidents import Incident, incidents
from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.values import Header, SiteRow, View
from monitoring.display.view_model.viewing import WINDOWS_MS
from monitoring.models import Alert, Cause, CheckResult, Site, State
from monitoring.viewer.frames import Frame, Renderer
from monitoring.viewer.snapshot import SiteFacts, Snapshot, Wanted
from monitoring.viewer.state import State as Looking
from tests.support.views import HOSTS, NOON, down, recovered, reports, site

LENGTHS_MS = tuple(WINDOWS_MS.values())

ROWS = (
    site(HOSTS[0], name="shop"),
    site(HOSTS[1], State.DOWN, 40, name="orders"),
    site(HOSTS[2], name="docs"),
    site(HOSTS[3], State.FAILING, 9, name="mail"),
)
ALERTS = (down(HOSTS[3], NOON - 100_000), recovered(HOSTS[3]), down(HOSTS[1]))


def snapshot(
    rows: Sequence[SiteRow] = ROWS, alerts: Sequence[Alert] = ALERTS, at_ms: int | None = None, error: str | None = None
) -> Snapshot:
    """These sites with these alert records, all of them read."""
    found = incidents(sorted(alerts, key=lambda alert: alert.time_ms))
    ongoing = [it.alert for it in found if it.is_open and it.alert]
    view = View(Header(len(rows), "local", "as configured"), NOON, reports(rows, LENGTHS_MS), (), ongoing, read_error=error)
    sites = {row.host: Site(row.host, row.host, row.name) for row in rows}
    return Snapshot(Overview(view, found), sites, at_ms, NOON, True)


def with_facts(known: Snapshot, host: str, error: str | None = None) -> Snapshot:
    """The same with the last checks of a site, of which one failed; or why they could not be read."""
    checks = [
        CheckResult(host, NOON - 6_000 + 2_000 * number, 2_000, 5, 200, 57_000, cause=cause, detail=detail)
        for number, (cause, detail) in enumerate([(None, ""), (Cause.TIMEOUT, "no \x1b[31manswer"), (None, "")])
    ]
    return replace(known, facts=SiteFacts((host, ""), NOON, () if error else checks, error=error))


def frame(state: Looking | None = None, known: Snapshot | None = None, width: int = 80, height: int = 24) -> Frame:
    """What is drawn."""
    return Renderer(known or snapshot(), LENGTHS_MS).frame(state or Looking(), width, height)


def text(shown: Frame) -> str:
    """The screen as people read it."""
    return "\n".join(line.plain.rstrip() for line in shown.lines)


def open_incidents(known: Snapshot) -> Sequence[Incident]:
    return [it for it in known.overview.incidents if it.is_open]


class FakeFeed:
    """Keeps `Feed`: shows what it is told, and remembers what was wanted."""

    def __init__(self, first: Snapshot | None = None) -> None:
        self._first = first
        self._show: Callable[[Snapshot], None] = lambda _: None
        self.wanted: list[Wanted] = []

    def start(self, show: Callable[[Snapshot], None], wanted: Wanted) -> None:
        self._show = show
        self.wanted.append(wanted)
        if self._first:
            show(self._first)

    def want(self, wanted: Wanted) -> None:
        self.wanted.append(wanted)

    def tell(self, found: Snapshot) -> None:
        """Something new was read."""
        self._show(found)
