"""What the viewer draws: every place at every width, with hostile names, without data, with old ones. Pure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.display.drawing.theme import DARK
from monitoring.display.view_model.viewing import WINDOWS_MS, Choice, Order
from monitoring.display.words import local_time
from monitoring.models import Bucket, SiteStatus, State, Window
from monitoring.units import DAY_MS
from monitoring.viewer.keys import KEYS
from monitoring.viewer.prompt import Prompt, PromptKind
from monitoring.viewer.snapshot import Snapshot
from monitoring.viewer.state import Place
from monitoring.viewer.state import State as Looking
from tests.support.page import HOSTILE
from tests.support.viewing import ROWS, frame, snapshot, text, with_facts
from tests.support.views import HOSTS, NOON, down, names, recovered, site

WIDTHS = (20, 60, 80, 120, 160, 200)
AT = (HOSTS[1], "")
PLACES = [Looking((Place.SITES,) if place is Place.SITES else (Place.SITES, place), site=AT) for place in Place]
EMPTY = replace(snapshot(()), is_complete=False)
NOTHING = replace(EMPTY, overview=replace(EMPTY.overview, view=replace(EMPTY.overview.view, reports=())))


def shown(state: Looking | None = None, known: Snapshot | None = None, width: int = 80, height: int = 24) -> str:
    return text(frame(state, known, width, height))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", [3, 10, 24, 60])
@pytest.mark.parametrize("state", PLACES, ids=lambda state: state.place)
@pytest.mark.parametrize("known", [snapshot(), NOTHING, with_facts(snapshot(), HOSTS[1])], ids=["read", "nothing", "more"])
def test_every_place_fits_every_terminal(state: Looking, known: Snapshot, width: int, height: int) -> None:
    drawn = frame(state, known, width, height)
    assert len(drawn.lines) <= height
    assert max(line.cell_len for line in drawn.lines) <= width


@given(st.lists(names, min_size=1, max_size=6), st.sampled_from(WIDTHS), st.sampled_from(PLACES))
def test_names_are_data_whatever_they_hold(found: list[str], width: int, state: Looking) -> None:
    rows = [site(f"http://{number}/", State.DOWN, 9, name) for number, name in enumerate(found)]
    drawn = frame(replace(state, site=("http://0/", "")), snapshot(rows, [down("http://0/")]), width, 30)
    for line in drawn.lines:
        assert line.plain.isprintable()
        assert line.cell_len <= width
        assert all(span.style in DARK for span in line.spans if isinstance(span.style, str))


@pytest.mark.parametrize("state", PLACES, ids=lambda state: state.place)
def test_a_sign_whose_width_terminals_disagree_on_reaches_none(state: Looking) -> None:
    row = site(HOSTS[1], State.DOWN, 40, "❤\ufe0f shop", "❤\ufe0f is broken")
    known = with_facts(snapshot([row]), HOSTS[1])
    drawn = shown(replace(state, site=AT), known, 160, 60)
    assert "\ufe0f" not in drawn
    assert "❤ shop" in drawn or state.place in (Place.HELP, Place.EXPLANATION)


def test_hostile_names_stand_as_they_are() -> None:
    rows = [site(f"http://{number}/", name=name) for number, name in enumerate(HOSTILE)]
    drawn = shown(None, snapshot(rows), 200, 40)
    assert "<script>document.title='owned'</script>" in drawn
    assert "\\u202egnp.exe" in drawn


# The sites


def test_the_worst_sites_stand_first_and_the_cursor_on_the_first() -> None:
    drawn = frame()
    assert "4 sites" in drawn.lines[0].plain
    assert [text.plain[:12].strip() for text in drawn.copied] == [">✖ orders"]
    assert [drawn.scene.keys[line][0] for line in drawn.rows.values()] == [HOSTS[1], HOSTS[3], HOSTS[0], HOSTS[2]]
    for y, line in drawn.rows.items():
        name = next(row.name for row in ROWS if row.key == drawn.scene.keys[line])
        assert name
        assert name in drawn.lines[y].plain, "a click lands where the site stands"


def test_what_is_chosen_is_said() -> None:
    chosen = Choice(wanted="state:down", order=Order.NAME, is_reversed=True, location="")
    drawn = shown(Looking(choice=chosen))
    assert "filter: state:down" in drawn
    assert "sorted by name, reversed" in drawn
    assert "location: without a name" in drawn
    assert "docs" not in drawn
    assert "filter" not in shown().splitlines()[1]


def test_the_past_is_never_taken_for_now() -> None:
    state = Looking(at_ms=NOON)
    assert "PAST" in shown(state, snapshot(at_ms=NOON)).splitlines()[0]
    assert "reading" not in shown(state, snapshot(at_ms=NOON)).splitlines()[0]
    assert "reading" in shown(state, snapshot()).splitlines()[0], "what is shown is still of now"
    assert "PAST" in shown(Looking(), snapshot(at_ms=NOON)).splitlines()[0], "what is shown is still of then"
    assert "PAST" not in shown()


def test_a_pause_is_said() -> None:
    assert "PAUSED" in shown(Looking(is_paused=True)).splitlines()[0]


def test_data_that_are_old_are_said() -> None:
    rows = [replace(row, status=SiteStatus(), last_check_ms=NOON - 240_000) for row in ROWS]
    assert "nothing new was measured: last data 4 min ago" in shown(None, snapshot(rows))
    assert "nothing new" not in shown(None, snapshot([*rows, ROWS[0]])), "something was"
    assert "nothing new" not in shown(Looking(at_ms=NOON), snapshot(rows, at_ms=NOON)), "then nothing is new anyway"


def test_a_store_that_cannot_be_read_is_said() -> None:
    assert "! InfluxDB does not answer" in shown(None, snapshot(error="InfluxDB does not answer"))


def test_before_anything_was_read_there_is_nothing_to_say() -> None:
    assert "waiting for the first checks" in shown(None, NOTHING)


def test_a_store_that_was_never_read_is_not_waited_for() -> None:
    view = replace(NOTHING.overview.view, read_error="InfluxDB does not answer")
    unread = shown(None, replace(NOTHING, overview=replace(NOTHING.overview, view=view)))
    assert "! InfluxDB does not answer" in unread
    assert "nothing is known yet" in unread
    assert "waiting" not in unread


# One site


def test_a_site_has_all_that_is_known_of_it() -> None:
    known = with_facts(snapshot(), HOSTS[1])
    drawn = shown(Looking((Place.SITES, Place.SITE), site=AT), known, 80, 80)
    for words in ("orders", HOSTS[1], "✖ down for 3 min 20 s", "Past 24h", "Response time 10m", "p95", "Phases"):
        assert words in drawn
    for words in ("Windows", "Rule", "Incidents, 30d", "Last checks", "timeout: no \\x1b[31manswer", "good"):
        assert words in drawn
    wide = shown(Looking((Place.SITES, Place.SITE), site=AT), known, 160, 80)
    line = next(line for line in wide.splitlines() if "Past 24h" in line)
    assert "Rule" in line, "what was decided stands beside it"


def test_a_chart_says_what_its_bars_are() -> None:
    site_of = Looking((Place.SITES, Place.SITE), site=AT)
    assert "Response time 10m  p95 by mark" in shown(site_of, with_facts(snapshot(), HOSTS[1]), 80, 80)
    means = [replace(row, stats=replace(row.stats, trend=(Bucket(9_000.0, 0, 30),))) for row in ROWS]
    assert "Response time 10m  mean by mark" in shown(site_of, with_facts(snapshot(means), HOSTS[1]), 80, 80)


def test_windows_that_were_read_earlier_say_so() -> None:
    known = with_facts(snapshot(), HOSTS[1])
    view = known.overview.view
    first, hour, *others = view.reports
    earlier = replace(hour, window=Window.before(NOON - 60_000, hour.length_ms))
    older = replace(known, overview=replace(known.overview, view=replace(view, reports=(first, earlier, *others))))
    site = Looking((Place.SITES, Place.SITE), site=AT)
    moment = f"{local_time(NOON - 60_000):%H:%M:%S}"
    assert f"1h of {moment}" in shown(None, older)
    assert [line for line in shown(site, older, 120, 80).splitlines() if line.startswith("1h ") and moment in line]
    assert " of " not in shown(None, known).splitlines()[1]
    assert "until" not in shown(site, known, 120, 80)


def test_a_site_whose_details_cannot_be_read_says_so() -> None:
    state = Looking((Place.SITES, Place.SITE), site=AT)
    assert "reading …" in shown(state, snapshot(), 80, 80)
    assert "it hangs" in shown(state, with_facts(snapshot(), HOSTS[1], "it hangs"), 80, 80)
    assert "is not configured any more" in shown(replace(state, site=("http://gone/", "")))
    assert "it hangs" in shown(
        replace(state, places=(Place.SITES, Place.EXPLANATION)), with_facts(snapshot(), HOSTS[1], "it hangs")
    )


def test_a_long_text_scrolls() -> None:
    state = Looking((Place.SITES, Place.SITE), site=AT)
    known = with_facts(snapshot(), HOSTS[1])
    assert "Last checks" not in shown(state, known)
    assert "Last checks" in shown(replace(state, scroll=1_000), known)
    assert frame(state, known).scene.length == len(frame(state, known).copied) > 24


@pytest.mark.parametrize("place", [Place.SITE, Place.HELP])
def test_a_text_that_goes_on_below_says_so_and_no_line_is_out_of_reach(place: Place) -> None:
    state, known = Looking((Place.SITES, place), site=AT), with_facts(snapshot(), HOSTS[1])
    top = frame(state, known)
    whole = [line.plain.rstrip() for line in top.copied]
    page = top.scene.page
    assert top.lines[-2].plain == f" {len(whole) - page + 1} more lines: ↓"
    seen = [line.plain.rstrip() for line in top.lines[:-2]]
    for scroll in range(page - 1, len(whole) + page, page - 1):
        lines = [line.plain.rstrip() for line in frame(replace(state, scroll=scroll), known).lines[:-1]]
        seen += lines if "more lines" not in lines[-1] else lines[:-1]
    assert "more lines" not in lines[-1]
    assert set(whole) <= set(seen)


# Incidents, help, the last line


def test_an_outage_of_a_site_that_nobody_measures_any_more_says_so() -> None:
    unmeasured = replace(ROWS[1], status=SiteStatus(State.UNKNOWN, NOON - 180_000))
    known = snapshot([ROWS[0], unmeasured, *ROWS[2:]])
    for width, words in ((120, "last measured 3m00 ago"), (80, "  measured 3m00 ago")):
        assert words in shown(Looking((Place.SITES, Place.INCIDENTS)), known, width=width)


def test_incidents_stand_one_a_line_with_open_ones_first() -> None:
    drawn = frame(Looking((Place.SITES, Place.INCIDENTS)), width=120)
    lines = [line.plain for line in drawn.lines]
    assert "2 recorded, 1 open" in lines[0]
    assert lines[2].startswith(">✖")
    assert "orders" in lines[2]
    assert "mail" in lines[3]
    assert drawn.rows == {2: 0, 3: 1}
    assert "no incidents so far" in shown(Looking((Place.SITES, Place.INCIDENTS)), snapshot(alerts=()))


def test_outages_that_flap_are_one_line() -> None:
    times = [NOON - 900_000 + 100_000 * number for number in range(3)]
    alerts = [one for time_ms in times for one in (down(HOSTS[0], time_ms), recovered(HOSTS[0], time_ms + 50_000))]
    drawn = frame(Looking((Place.SITES, Place.INCIDENTS)), snapshot(alerts=alerts), 120)
    assert len(drawn.rows) == 1
    assert "3 times in" in text(drawn)


def test_the_help_names_every_key_and_every_state() -> None:
    drawn = shown(Looking((Place.SITES, Place.HELP)), None, 100, 80)
    for keys in KEYS:
        assert keys in drawn
    for state in State:
        assert f" {state}" in drawn


def test_what_is_typed_and_what_is_told_stand_in_the_last_line() -> None:
    prompt = Prompt(PromptKind.FILTER, "x" * 200 + "end")
    assert shown(Looking(prompt=prompt)).splitlines()[-1].strip().endswith("end")
    assert shown(Looking(prompt=prompt)).splitlines()[-1].startswith(" filter: ")
    assert shown(Looking(message="copied 1 line")).splitlines()[-1] == " copied 1 line"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_last_line_names_keys_as_far_as_there_is_room(width: int) -> None:
    last = shown(width=width).splitlines()[-1]
    assert last.startswith(" ? help")
    assert last.endswith("q quit")


def test_windows_of_days_are_read_where_they_are_shown() -> None:
    from monitoring.viewer.frames import shown_windows

    every = tuple(WINDOWS_MS.values())
    assert shown_windows(every, 80) == [it for it in every if it <= DAY_MS]
    assert shown_windows(every, 160)[-1] == WINDOWS_MS["30d"]
    assert shown_windows(every, 80, of_one_site=True) == every
