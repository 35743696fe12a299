"""The screen: it fits every terminal, shows the worst first, and takes names for nothing but names."""

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from monitoring.display import Closing, ClosingRow, Header, SiteRow, StatsReport, View, alert_sentence, ongoing_text
from monitoring.display.screen import history_text, render_closing, render_screen
from monitoring.display.sparkline import sparkline
from monitoring.display.table import state_text
from monitoring.models import Alert, AlertType, Bucket, Cause, ResponseTimes, SiteStats, SiteStatus, State, Window
from monitoring.storage.delivery.words import undelivered_text

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z
HEADER = Header(4, "local file config.db", "no InfluxDB answers at localhost:8086")
TREND = tuple(Bucket(1_000.0 * step) for step in range(1, 21))
RESPONSE = ResponseTimes(25_500.0, 12_000, 1_240_000, 20_000, 60_000, 80_000)
HOSTS = ("http://via.ecp.fr", "https://example.org/health", "https://www.example.com", "http://localhost:8000")


def lines_of(renderable: RenderableType, width: int, height: int = 200) -> list[str]:
    """What a terminal of this size shows, without colours."""
    screen = io.StringIO()
    Console(file=screen, width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False).print(
        renderable
    )
    return screen.getvalue().removesuffix("\n").split("\n")


def site(host: str, state: State = State.UP, failures: int = 0, name: str | None = None) -> SiteRow:
    stats = SiteStats(
        host=host,
        checks=300,
        available=300 - failures,
        covered_ms=600_000,
        available_ms=600_000 - 2_000 * failures,
        response=RESPONSE,
        statuses={200: 300 - failures},
        causes={Cause.TIMEOUT: failures} if failures else {},
        trend=TREND,
    )
    return SiteRow(host, name, stats, SiteStatus(state, NOON - 200_000, NOON - 45_000 if failures else None, "no answer"))


def reports(rows: Sequence[SiteRow]) -> list[StatsReport]:
    return [StatsReport(Window.before(NOON, length_ms), "local", tuple(rows)) for length_ms in (600_000, 3_600_000)]


def down(host: str, time_ms: int = NOON - 60_000) -> Alert:
    return Alert(AlertType.ALERT, host, time_ms, time_ms - 26_000, None, 78.333, Cause.TIMEOUT)


def recovered(host: str, time_ms: int = NOON - 10_000) -> Alert:
    return Alert(AlertType.RECOVERY, host, time_ms, time_ms - 90_000, time_ms - 30_000, 80.0, Cause.TIMEOUT)


def few() -> View:
    rows = [site(HOSTS[0]), site(HOSTS[1], State.DOWN, 40), site(HOSTS[2]), site(HOSTS[3], name="local page")]
    return View(HEADER, NOON, reports(rows), [down(HOSTS[3]), recovered(HOSTS[3])], [down(HOSTS[1])])


def many() -> View:
    rows = [site(f"https://site{place:04d}.example.org") for place in range(1_000)]
    rows[700] = replace(rows[700], status=SiteStatus(State.DOWN, NOON))
    rows[800] = replace(rows[800], status=SiteStatus(State.UNKNOWN))
    rows[900] = site("https://worst.example.org", failures=9)
    return View(replace(HEADER, sites=1_000), NOON, reports(rows), [down("https://site0700.example.org")])


def unwrapped(lines: Sequence[str]) -> str:
    """The screen's words as one text, however its lines were broken."""
    return " ".join(" ".join(lines).split())


names = st.one_of(
    st.text(st.characters(), min_size=1, max_size=90),
    st.sampled_from(
        ["[bold red]x[/]", "日本語" * 20, "e\u0301\u0302" * 30, "👩\u200d🚀 ❤\ufe0f", "\x1b]0;t\x07", "a b " * 30, "\\"]
    ),
)


@st.composite
def views(draw: st.DrawFn) -> View:
    hosts = draw(st.lists(names, max_size=12))
    rows = [site(host, draw(st.sampled_from(State)), draw(st.integers(0, 300)), draw(st.none() | names)) for host in hosts]
    rows = [replace(row, stats=SiteStats(row.host)) if draw(st.booleans()) else row for row in rows]
    alerts = [draw(st.sampled_from([down, recovered]))(host) for host in hosts]
    notes = tuple(draw(st.lists(names, max_size=2)))
    header = Header(len(hosts), draw(names), draw(names), notes)
    return View(header, NOON, reports(rows)[: draw(st.integers(0, 2))], alerts, [down(host) for host in hosts[::2]])


@settings(deadline=None, max_examples=150)
@given(views(), st.integers(1, 220), st.integers(1, 60))
def test_no_screen_is_ever_larger_than_its_terminal(view: View, width: int, height: int) -> None:
    # Shown on something larger: a console of just this size would hide what is too wide.
    lines = lines_of(render_screen(view, width, height), 2 * width + 100)
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


@settings(deadline=None, max_examples=60)
@given(st.lists(names, max_size=8), st.integers(1, 120))
def test_the_closing_is_never_wider_than_its_terminal(hosts: list[str], width: int) -> None:
    rows = tuple(ClosingRow(host, None, 5, 10, 20, 1) for host in hosts)
    lines = lines_of(
        render_closing(Closing(NOON, NOON + 5, rows, tuple(map(down, hosts)), ("3 points wait",)), width), 2 * width + 100
    )
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)


def test_eighty_columns_show_what_matters_most() -> None:
    lines = lines_of(render_screen(few(), 80, 24), 80, 24)
    assert unwrapped(lines[:1]) == "4 sites ✖ 1 down ● 3 up 2026-01-01T12:00:00Z"
    assert lines[1] == "reading local file config.db: no InfluxDB answers at localhost:8086"
    assert unwrapped(lines[3:4]) == "Past 10 minutes avail mean p95 trend why"
    assert unwrapped(lines[4:5]) == "● up http://via.ecp.fr 100.00 % 25.5 ms 60.0 ms ▁▂▃▄▅▅▆▇██"
    assert lines[5].split()[:2] == ["✖", "down"]
    assert lines[9].startswith("Past hour")
    assert "Website https://example.org/health has been down for 1 min 26 s" in unwrapped(lines)


def test_a_wide_terminal_shows_every_column() -> None:
    lines = lines_of(render_screen(few(), 200, 50), 200, 50)
    assert lines[0].startswith("4 sites · reading local file config.db: no InfluxDB answers at localhost:8086  ")
    assert unwrapped([lines[2]]) == (
        "Past 10 minutes avail cover checks mean p95 max response time status causes last failure for why"
    )
    assert unwrapped([lines[4]]) == (
        "✖ down https://example.org/health 86.66 % 100 % 300 25.5 ms 60.0 ms 1.24 s ▁▁▂▂▃▃▃▄▄▅▅▅▆▆▇▇▇███ "
        "200:260 timeout:40 45 s ago 3 min 20 s no answer"
    )


EXPIRED = "SSL certificate problem: certificate has expired"


def failing(detail: str, state: State = State.FAILING) -> View:
    row = site(HOSTS[1], state, 40)
    return View(HEADER, NOON, reports([site(HOSTS[0]), replace(row, status=replace(row.status, detail=detail))]))


@pytest.mark.parametrize("state", [State.FAILING, State.DOWN, State.RECOVERING])
def test_eighty_columns_show_why_a_site_fails(state: State) -> None:
    lines = lines_of(render_screen(failing(EXPIRED, state), 80, 24), 80, 24)
    assert lines[3].split()[-1] == "why"
    assert lines[5].rstrip().endswith("  certificate has expired")


def test_a_long_reason_is_cut_at_its_end() -> None:
    view = failing(
        "Failed to connect to shop.example port 443 after 3 ms: No route to host, not even by the other way round"
    )
    line = lines_of(render_screen(view, 80, 24), 80, 24)[5]
    assert "  No route to host, not ev" in line
    assert line.rstrip().endswith("…")


def test_without_failures_times_have_the_room_of_reasons() -> None:
    lines = lines_of(render_screen(failing(EXPIRED, State.UP), 80, 24), 80, 24)
    assert unwrapped(lines[3:4]) == "Past 10 minutes avail cover mean p95 trend"
    assert "expired" not in unwrapped(lines)


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_numbers_stand_in_line_in_both_tables(width: int) -> None:
    lines = lines_of(render_screen(few(), width, 40), width, 40)
    rows = [line for line in lines if line.startswith(("●", "✖")) and "Website" not in line]
    assert len(rows) == 8
    assert len({line.index(" ms") for line in rows}) == 1


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50), (100, 12)])
def test_of_a_thousand_sites_the_worst_come_first_and_the_rest_is_summed_up(width: int, height: int) -> None:
    lines = lines_of(render_screen(many(), width, height), width, height)
    top = next(place for place, line in enumerate(lines) if line.startswith("Past 10 minutes"))
    assert "down" in lines[top + 1]
    assert "unknown" in lines[top + 2]
    assert "worst" in lines[top + 3]
    assert any(line.startswith("… and 9") and " up, lowest availability 100.00 %" in line for line in lines)


@pytest.mark.parametrize("height", [10, 24, 50])
def test_the_newest_alert_stays_on_the_screen_however_many_sites_there_are(height: int) -> None:
    view = replace(many(), ongoing=[down(f"https://site{place:04d}.example.org") for place in range(300)])
    lines = lines_of(render_screen(view, 80, height), 80, height)
    assert alert_sentence(view.alerts[-1]) in unwrapped([line.lstrip("✖ ") for line in lines])


def test_alerts_are_told_in_the_exact_sentences_newest_last() -> None:
    view = few()
    lines = lines_of(render_screen(view, 120, 40), 120, 40)
    assert lines[-4:] == [
        "Alerts",
        f"✖ {ongoing_text(view.ongoing[0], NOON)}",
        f"✖ {alert_sentence(view.alerts[0], 'local page')}",
        f"✔ {alert_sentence(view.alerts[1], 'local page')}",
    ]


def test_an_open_outage_stands_once_among_the_alerts_and_with_its_name() -> None:
    view = replace(few(), alerts=[recovered(HOSTS[0]), down(HOSTS[3])], ongoing=[down(HOSTS[3])])
    lines = lines_of(render_screen(view, 120, 40), 120, 40)
    assert lines[-3:] == [
        "Alerts",
        f"✖ {ongoing_text(down(HOSTS[3]), NOON, 'local page')}",
        f"✔ {alert_sentence(recovered(HOSTS[0]))}",
    ]


def test_beside_an_unknown_state_no_outage_is_said_to_go_on() -> None:
    row = replace(site(HOSTS[3], name="local page"), status=SiteStatus(State.UNKNOWN, NOON - 120_000))
    view = replace(few(), reports=reports([row]), alerts=[], ongoing=[down(HOSTS[3])])
    text = unwrapped(lines_of(render_screen(view, 120, 40), 120, 40))
    assert "Website local page was down when it was last measured, 2 min ago (since " in text


def test_the_screen_says_when_it_waits_for_the_first_checks() -> None:
    lines = lines_of(render_screen(View(HEADER, NOON), 80, 24), 80, 24)
    assert "waiting for the first checks" in lines
    assert lines[-1] == "Alerts  none"


def test_one_report_is_shown_while_the_other_is_missing() -> None:
    view = replace(few(), reports=few().reports[:1])
    text = unwrapped(lines_of(render_screen(view, 80, 24), 80, 24))
    assert "Past 10 minutes" in text
    assert "Past hour" not in text


def test_notes_are_shown_with_a_mark() -> None:
    view = replace(few(), header=replace(HEADER, notes=("config.json: not applied",)))
    assert "! config.json: not applied" in lines_of(render_screen(view, 80, 24), 80, 24)


def test_markup_in_names_and_addresses_means_nothing() -> None:
    name = "[bold red]boom[/] [link=x]"
    view = replace(few(), reports=reports([site("http://[::1]/[red]", name=name)]), alerts=[down(name)], ongoing=[])
    text = unwrapped(lines_of(render_screen(view, 160, 40), 160, 40))
    assert text.count(name) == 3


def test_long_names_are_cut_with_an_ellipsis() -> None:
    view = replace(few(), reports=reports([site("https://example.org/" + "long/" * 40)]))
    row = next(line for line in lines_of(render_screen(view, 80, 24), 80, 24) if line.startswith("● up "))
    assert "https://example" in row
    assert "…" in row


def test_sites_of_one_host_can_be_told_apart_on_a_narrow_screen() -> None:
    hosts = [f"https://a-long-name.example.org/section/{page}" for page in ("shop", "docs")]
    view = replace(few(), reports=reports([site(host) for host in hosts]))
    text = "\n".join(lines_of(render_screen(view, 80, 24), 80, 24))
    assert "shop " in text
    assert "docs " in text


def test_a_host_longer_than_the_terminal_does_not_push_its_alert_off_the_screen() -> None:
    view = replace(few(), alerts=[down("http://" + "x" * 2_000)], ongoing=[])
    assert "is down. availability=78.33%" in unwrapped(lines_of(render_screen(view, 80, 24), 80, 24))


def test_a_sparkline_shows_bars_failures_and_gaps() -> None:
    line = sparkline([Bucket(1.0), Bucket(), Bucket(8.0, 3), Bucket(None, 1), Bucket(8.0), Bucket(4.0)])
    assert line.plain == "▂·xx█▅"
    assert {line.plain[span.start] for span in line.spans if span.style == "red"} == {"x"}


def test_a_short_sparkline_never_hides_a_failure_or_a_slow_part() -> None:
    trend = [Bucket(8.0), Bucket(1.0), Bucket(1.0, 1), Bucket(1.0), Bucket(), Bucket(), Bucket()]
    assert sparkline(trend, short=True).plain == "█x··"


def test_a_sparkline_of_nothing_is_all_gaps() -> None:
    assert sparkline(()).plain == "·" * 20
    assert sparkline([Bucket(0.0)]).plain == "▁"


def test_every_state_is_a_glyph_a_word_and_a_colour() -> None:
    texts = [state_text(state) for state in State]
    assert [text.plain for text in texts] == ["● up", "▲ failing", "✖ down", "◐ recovering", "○ unknown", "‖ paused"]
    assert len({str(text.style) for text in texts}) == len(State)


def test_a_line_of_the_history_has_its_detail_below() -> None:
    text = history_text(recovered(HOSTS[0]), None)
    assert isinstance(text, Text)
    first, second = text.plain.split("\n")
    assert first == f"✔ {alert_sentence(recovered(HOSTS[0]))}"
    assert second.startswith("  cause timeout, first failed check ")


def test_the_closing_screen_says_first_what_is_still_down_and_at_last_where_all_of_it_lies() -> None:
    rows = (ClosingRow(HOSTS[0], None, 1, 1, 1, 1),)
    closing = Closing(NOON - 3_600_000, NOON, rows, (down(HOSTS[0]),), stored="everything is stored in x.db")
    lines = lines_of(render_closing(closing, 200), 200)
    assert lines[0].startswith(f"✖ Still down: Website {HOSTS[0]} has been down for ")
    assert lines[1].startswith("Monitored 1 site")
    assert "is down." not in unwrapped(lines)  # it stands there already
    assert lines[-1] == "everything is stored in x.db"


def test_the_closing_screen_lists_sites_alerts_and_what_is_not_delivered() -> None:
    rows = (ClosingRow(HOSTS[0], None, 1_800, 3_400_000, 3_500_000, 1), ClosingRow(HOSTS[1], None, 0, 0, 0, 0))
    closing = Closing(NOON - 3_600_000, NOON, rows, (down(HOSTS[0]), recovered(HOSTS[0])), (undelivered_text(1),))
    lines = lines_of(render_closing(closing, 130), 130)
    assert lines[0] == "Monitored 2 sites for 1 h, 2026-01-01T11:00:00.000Z to 2026-01-01T12:00:00.000Z"
    assert unwrapped(lines[2:3]) == "http://via.ecp.fr 97.14 % 97 % 1800 1 1 min"
    assert unwrapped(lines[3:4]) == "https://example.org/health — 0 % 0 0 —"
    assert lines[4:6] == [f"✖ {alert_sentence(down(HOSTS[0]))}", f"✔ {alert_sentence(recovered(HOSTS[0]))}"]
    assert lines[6].startswith("! 1 point waits in the local file")
