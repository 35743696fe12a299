"""The screen: it fits every terminal, shows the worst first, and takes names for nothing but names."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from monitoring.display.drawing.brief import clock_text
from monitoring.display.drawing.grid import fit_name
from monitoring.display.drawing.screen import NOWHERE, Look, draw_all, draw_screen
from monitoring.display.view_model.values import Header, View
from monitoring.display.view_model.viewing import Choice
from monitoring.models import SiteStats, State, Window
from tests.support.views import (
    HEADER,
    HOSTS,
    NOON,
    WINDOWS_MS,
    down,
    drawn,
    few,
    many,
    measured,
    names,
    recovered,
    reports,
    site,
    words,
)


@st.composite
def views(draw: st.DrawFn) -> View:
    hosts = draw(st.lists(names, max_size=12))
    rows = [
        site(host, draw(st.sampled_from(State)), draw(st.integers(0, 300)), draw(st.none() | names), draw(names))
        for host in hosts
    ]
    rows = [replace(row, stats=SiteStats(row.host)) if draw(st.booleans()) else measured(row, 40_000) for row in rows]
    alerts = [draw(st.sampled_from([down, recovered]))(host) for host in hosts]
    notes = tuple(draw(st.lists(names, max_size=2)))
    header = Header(len(hosts), draw(names), draw(names), notes)
    windows = WINDOWS_MS[: draw(st.integers(0, 4))]
    return View(header, NOON, reports(rows, windows), alerts, [down(host) for host in hosts[::2]])


@settings(deadline=None, max_examples=150)
@given(views(), st.integers(1, 220), st.integers(1, 60), st.sampled_from(["", "? help"]), st.integers(0, 12))
def test_no_screen_is_ever_larger_than_its_terminal(view: View, width: int, height: int, footer: str, top: int) -> None:
    lines = draw_screen(view, Look(top=top), WINDOWS_MS, width, height, Text(footer) if footer else None).lines
    assert len(lines) <= height
    assert all(line.cell_len <= width and line.plain.isprintable() for line in lines)


def test_eighty_columns_show_what_matters_most() -> None:
    lines = drawn(few())
    assert words(lines[:1]) == f"4 sites ✖ 1 down ● 3 up 10m {clock_text(NOON)}"
    assert lines[1] == " reading local file config.db: no InfluxDB answers at localhost:8086"
    assert words(lines[2:3]) == "SITE STATE 10m 1h 24h NOW TREND 10m WHY"
    assert words(lines[3:4]) == ">✖ example.…alth down 3m20 86.6 86.6 - - ▁▃▄▅▆▇▇███ no answer"
    assert words(lines[4:5]) == "● via.ecp.fr up 3m20 100.0 100.0 - 10ms ▁▃▄▅▆▇▇███"
    assert lines[7:9] == ["  https://example.org/health: no answer", " INCIDENTS  1 open, 2 today"]


def test_a_terminal_of_sixty_columns_still_says_why() -> None:
    lines = drawn(few(), 60)
    assert words(lines[3:4]) == "SITE STATE 10m 1h NOW WHY"
    assert lines[4].endswith("  no answer")


def test_a_wide_terminal_shows_more_columns_and_the_site_under_the_cursor() -> None:
    lines = drawn(few(), 200, 50)
    assert lines[0].startswith(
        " 4 sites  ✖ 1 down  ● 3 up · reading local file config.db: no InfluxDB answers at localhost:8086  "
    )
    titles, _, name = lines[1].partition(" │ ")
    assert words([titles]) == "SITE STATE 10m 1h 24h 30d NOW P50 P95 TREND 10m WHY"
    assert name == HOSTS[1]
    assert "✖ down for 3 min 20 s, since " in words(lines)


@pytest.mark.parametrize(
    ("days", "warning", "said"),
    [(9, 14, "cert 9 d"), (9, 5, ""), (40, 60, "cert 40 d"), (-1, 14, "cert expired"), (1, 0, "")],
)
def test_a_certificate_is_named_as_long_before_it_expires_as_its_site_asks_for(days: int, warning: int, said: str) -> None:
    row = site(HOSTS[0])
    status = replace(row.status, certificate_s=NOON // 1_000 + days * 86_400 + 60)
    row = replace(row, certificate_warning_ms=warning * 86_400_000, status=status)
    assert drawn(View(HEADER, NOON, reports([row])), 80)[3].partition("10ms")[2].lstrip("▁▃▄▅▆▇█ ") == said


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 120, 160, 200])
def test_columns_stand_where_they_stand_whatever_is_in_them(width: int) -> None:
    long = site("https://" + "x" * 200, State.RECOVERING, 300, "n" * 200, "why " * 50)
    one, other = (drawn(View(HEADER, NOON, reports(rows)), width, 30) for rows in ([long], [site("a")]))
    titles = [next(line for line in lines if "SITE" in line).partition(" │ ")[0] for lines in (one, other)]
    assert titles[0] == titles[1]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50), (100, 12)])
def test_of_a_thousand_sites_the_worst_come_first_and_the_rest_is_summed_up(width: int, height: int) -> None:
    lines = drawn(many(), width, height)
    top = next(place for place, line in enumerate(lines) if line.startswith("   SITE"))
    assert "down" in lines[top + 1]
    assert "unknown" in lines[top + 2]
    assert "worst" in lines[top + 3]
    assert any(line.startswith(" … 9") and " more, all up" in line for line in lines)


def in_all_states() -> View:
    states = [*[State.DOWN] * 40, *[State.RECOVERING] * 6, *[State.FAILING] * 8, *[State.UNKNOWN] * 25]
    states += [*[State.MAINTENANCE] * 8, *[State.PAUSED] * 6, *[State.UP] * 907]
    rows = [
        replace(row, status=replace(row.status, state=state))
        for row, state in zip(many().reports[0].rows, states, strict=True)
    ]
    return View(replace(HEADER, sites=1_000), NOON, reports(rows))


@pytest.mark.parametrize(("width", "counts", "rest"), [
    (60, "✖ 40  ◐ 6  ▲ 8  ○ 25  ◆ 8  ● 907  ‖ 6", "  ◐ 6  ▲ 8  ○ 25  ◆ 8  ● 907  ‖ 6"),
    (80, "✖ 40  ◐ 6  ▲ 8  ○ 25  ◆ 8  ● 907  ‖ 6", "  ◐ 6  ▲ 8  ○ 25  ◆ 8  ● 907  ‖ 6"),
    (120, "✖ 40 down  ◐ 6 recovering  ▲ 8 failing  ○ 25 unknown  ◆ 8 maintenance  ● 907 up  ‖ 6 paused",
     " down, 6 recovering, 8 failing, 25 unknown, 8 maintenance, 907 up, 6 paused"),
])  # fmt: skip
def test_states_lose_their_words_before_a_number_or_the_clock_is_cut_off(width: int, counts: str, rest: str) -> None:
    """A screen without a clock might have stopped, and the last number is that of the sites that are up."""
    lines = drawn(in_all_states(), width)
    assert lines[0].startswith(f" 1000 sites  {counts}  ")
    assert clock_text(NOON)[:8] in lines[0]
    assert any(line.startswith(" … ") and line.endswith(rest) for line in lines)


def test_a_site_that_two_locations_see_counts_once_with_the_worse_of_its_states() -> None:
    row = site(HOSTS[0])
    seen = [row, replace(row, location="paris", status=replace(row.status, state=State.DOWN)), site(HOSTS[1])]
    assert drawn(View(replace(HEADER, sites=2), NOON, reports(seen)), 80)[0].startswith(" 2 sites  ✖ 1 down  ● 1 up  ")


@pytest.mark.parametrize("height", [10, 24, 50])
def test_the_newest_outage_stays_on_the_screen_however_many_sites_there_are(height: int) -> None:
    view = many()
    ongoing = [down(f"https://site{place:04d}.example.org", NOON - 90_000 - place) for place in range(71, 300)]
    lines = drawn(replace(view, ongoing=[*ongoing, *view.ongoing]), 80, height)
    title = next(place for place, line in enumerate(lines) if "INCIDENTS" in line)
    assert "site0070" in lines[title + 1]


def test_the_table_scrolls_so_that_the_cursor_is_seen() -> None:
    view = many()
    drawing = draw_screen(view, Look(), WINDOWS_MS, 80, 24)
    far = draw_screen(view, Look(cursor=drawing.keys[500]), WINDOWS_MS, 80, 24)
    text = "\n".join(line.plain for line in far.lines)
    assert any(line.plain.startswith(">") for line in far.lines)
    assert f" … {1_000 - far.page} more ({far.top} above): " in text
    assert far.top == 500 - far.page + 1
    back = draw_screen(view, Look(cursor=drawing.keys[499], top=far.top), WINDOWS_MS, 80, 24)
    assert back.top == far.top
    last = draw_screen(view, Look(cursor=drawing.keys[-1]), WINDOWS_MS, 80, 24)
    assert any(line.plain.startswith(f" … {1_000 - last.page} above: ") for line in last.lines)


def test_only_faults_leaves_out_what_is_up() -> None:
    look = Look(Choice(only_faults=True))
    assert sum(line.startswith((">●", " ●")) for line in drawn(few(), look=look)) == 0
    assert "only faults" in drawn(few(), look=look)[0]
    well = View(HEADER, NOON, reports([site(HOSTS[0])]))
    assert " no site has a fault" in drawn(well, look=look)


@pytest.mark.parametrize(("choice", "said"), [
    (Choice(wanted="zzz"), "no site fits this filter"),
    (Choice(location="paris"), "no site fits this filter"),
    (Choice(wanted="via.ecp", only_faults=True), "no site of this filter has a fault"),
])  # fmt: skip
def test_a_filter_that_nothing_fits_is_named_as_the_reason(choice: Choice, said: str) -> None:
    assert f" {said}" in drawn(few(), look=Look(choice))


def test_the_screen_says_when_it_waits_for_the_first_checks() -> None:
    lines = drawn(View(HEADER, NOON))
    assert " waiting for the first checks" in lines
    assert lines[-1] == " INCIDENTS  none today"


def test_the_first_screen_of_a_run_calls_sites_by_their_names() -> None:
    """Alerts of the run before are known before the first statistics."""
    header = replace(HEADER, names={HOSTS[0]: "shop"})
    lines = "\n".join(drawn(View(header, NOON, alerts=(down(HOSTS[0]),), ongoing=(down(HOSTS[0]),))))
    assert "  shop  " in lines
    assert HOSTS[0] not in lines


def test_a_window_that_is_not_read_yet_has_no_numbers() -> None:
    view = replace(few(), reports=few().reports[:1])
    assert words(drawn(view)[3:4]) == ">✖ example.…alth down 3m20 86.6 - - - ▁▃▄▅▆▇▇███ no answer"


def test_notes_are_shown_with_a_mark() -> None:
    view = replace(few(), header=replace(HEADER, notes=("config.json: not applied",)))
    assert "! config.json: not applied" in drawn(view)


def test_markup_in_names_and_addresses_means_nothing() -> None:
    name = "[bold red]boom[/]"
    alert = down("http://[::1]/[red]")
    view = View(HEADER, NOON, reports([site(alert.host, name=name)]), [alert], [alert])
    text = words(drawn(view, 200, 40))
    assert text.count(name) == 3  # the table, the pane, the incident
    assert "http://[::1]/[red]" in text


def test_sites_of_one_host_can_be_told_apart_on_a_narrow_screen() -> None:
    hosts = [f"https://a-long-name.example.org/section/{page}" for page in ("shop", "docs")]
    text = "\n".join(drawn(View(HEADER, NOON, reports([site(host) for host in hosts]))))
    assert "shop " in text
    assert "docs " in text


def test_printed_once_it_shows_all_sites_without_a_cursor() -> None:
    lines = [line.plain for line in draw_all(many(), 140)]
    assert sum("example.org" in line for line in lines) == 1_001  # and one incident
    assert not any(line.startswith(">") for line in lines)
    assert Look(cursor=NOWHERE).cursor == NOWHERE


def test_the_last_line_is_for_the_keys() -> None:
    assert drawn(few(), footer=" ? help")[-1] == " ? help"
    assert len(drawn(few(), footer=" ? help")) == 24


def test_windows_of_the_same_second_are_named_together() -> None:
    view = View(HEADER, NOON, reports([site(HOSTS[0])], WINDOWS_MS), [], [])
    newest, *older = view.reports
    moved = [replace(it, window=Window.before(NOON - 20_000 + place, it.length_ms)) for place, it in enumerate(older)]
    text = words(drawn(replace(view, reports=[newest, *moved]), 200, 40))
    assert f"1h 24h 30d of {clock_text(NOON - 20_000)[:8]}" in text


def test_a_shortened_name_of_wide_characters_has_no_blank_in_it() -> None:
    for width in range(8, 30):
        text = fit_name("日本語のサイト名がとても長い場合はどうなりますか", width)
        assert text.cell_len == width
        assert " …" not in text.plain
