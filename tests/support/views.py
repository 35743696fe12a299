"""Made-up sites as screens get them, and what a terminal shows of what is drawn."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st
from rich.text import Text

from monitoring.display.drawing.screen import Look, draw_screen
from monitoring.display.view_model.values import Header, SiteRow, StatsReport, View
from monitoring.models import (
    Alert,
    AlertType,
    Bucket,
    Cause,
    Downtime,
    ResponseTimes,
    Rule,
    SiteStats,
    SiteStatus,
    State,
    Window,
)

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z
HEADER = Header(4, "local file config.db", "no InfluxDB answers at localhost:8086")
WINDOWS_MS = (600_000, 3_600_000, 86_400_000, 30 * 86_400_000)
TREND = tuple(Bucket(1_000.0 * step, 0, 30, 1_500 * step) for step in range(1, 11))
RESPONSE = ResponseTimes(25_500.0, 12_000, 1_240_000, 20_000, 60_000, 80_000)
HOSTS = ("http://via.ecp.fr", "https://example.org/health", "https://www.example.com", "http://localhost:8000")

names = st.one_of(
    st.text(st.characters(), min_size=1, max_size=90),
    st.sampled_from(
        ["[bold red]x[/]", "日本語" * 20, "e\u0301\u0302" * 30, "👩\u200d🚀 ❤\ufe0f", "\x1b]0;t\x07", "a b " * 30, "\\"]
    ),
)


def site(
    host: str, state: State = State.UP, failures: int = 0, name: str | None = None, detail: str = "no answer"
) -> SiteRow:
    stats = SiteStats(
        host=host,
        checks=300,
        available=300 - failures,
        covered_ms=600_000,
        available_ms=600_000 - 2_000 * failures,
        response=RESPONSE,
        phases_us={"resolve": 500.0, "connect": 1_000.0, "processing": 20_000.0, "transfer": 4_000.0},
        statuses={200: 300 - failures},
        causes={Cause.TIMEOUT: failures} if failures else {},
        trend=TREND,
    )
    status = SiteStatus(state, NOON - 200_000, NOON - 45_000 if failures else None, detail)
    return SiteRow(host, name, stats, status, address=host)


def measured(row: SiteRow, down_ms: int) -> SiteRow:
    """The site with the sum of its alert window: so much of two minutes down."""
    sums = Downtime(60, down_ms // 2_000, 120_000, down_ms)
    return replace(row, rule=Rule(), status=replace(row.status, downtime=sums))


def reports(rows: Sequence[SiteRow], windows_ms: Sequence[int] = WINDOWS_MS[:2]) -> list[StatsReport]:
    return [StatsReport(Window.before(NOON, length_ms), "local", tuple(rows)) for length_ms in windows_ms]


def down(host: str, time_ms: int = NOON - 60_000) -> Alert:
    return Alert(AlertType.ALERT, host, time_ms, time_ms - 26_000, None, 78.333, Cause.TIMEOUT)


def recovered(host: str, time_ms: int = NOON - 10_000) -> Alert:
    return Alert(AlertType.RECOVERY, host, time_ms, time_ms - 90_000, time_ms - 30_000, 80.0, Cause.TIMEOUT)


def few() -> View:
    rows = [site(HOSTS[0]), site(HOSTS[1], State.DOWN, 40), site(HOSTS[2]), site(HOSTS[3], name="local page")]
    alerts = [down(HOSTS[3], NOON - 100_000), recovered(HOSTS[3]), down(HOSTS[1])]
    return View(HEADER, NOON, reports(rows), alerts, [down(HOSTS[1])])


def many(count: int = 1_000) -> View:
    rows = [site(f"https://site{place:04d}.example.org") for place in range(count)]
    rows[70] = replace(rows[70], status=SiteStatus(State.DOWN, NOON))
    rows[80] = replace(rows[80], status=SiteStatus(State.UNKNOWN))
    rows[90] = site("https://worst.example.org", failures=9)
    alert = down("https://site0070.example.org")
    return View(replace(HEADER, sites=count), NOON, reports(rows), [alert], [alert])


def drawn(view: View, width: int = 80, height: int = 24, look: Look | None = None, footer: str = "") -> list[str]:
    """The lines of the screen, without their blanks at the end."""
    lines = draw_screen(view, look or Look(), WINDOWS_MS, width, height, Text(footer) if footer else None).lines
    return [line.plain.rstrip() for line in lines]


def words(lines: Sequence[str]) -> str:
    """The words as one text, however its lines were broken."""
    return " ".join(" ".join(lines).split())
