"""What each key makes of what a person has chosen. Pure: no terminal."""

from dataclasses import replace

import pytest

from monitoring.display.drawing.theme import ThemeName
from monitoring.display.view_model.viewing import WINDOWS_MS, Order
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS
from monitoring.viewer.prompt import PromptKind
from monitoring.viewer.state import Place, Scene, State, clicked, cursor_line, moved_by, pasted, pressed
from tests.support.viewing import snapshot

NOW_MS = 1_780_000_000_000
KEYS = [(name, "") for name in "abcdefghij"]
INCIDENTS = snapshot().overview.incidents
SCENE = Scene(KEYS, INCIDENTS, ("", "paris"), clock_ms=NOW_MS, page=4)
TEXT = replace(SCENE, length=30)


def after(*keys: str, state: State | None = None, scene: Scene = SCENE) -> State:
    found = state or State()
    for key in keys:
        found = pressed(found, key, scene, key if len(key) == 1 else None)
    return found


@pytest.mark.parametrize(("keys", "line"), [
    ([], 0),
    (["down"], 1),
    (["j", "j", "k"], 1),
    (["up"], 0),
    (["pagedown"], 3),
    (["pagedown", "pageup"], 0),
    (["G"], 9),
    (["G", "down"], 9),
    (["G", "g"], 0),
    (["G", "home"], 0),
])  # fmt: skip
def test_the_cursor_goes_from_line_to_line(keys: list[str], line: int) -> None:
    assert cursor_line(after(*keys), SCENE) == line


def test_the_cursor_stays_with_its_site_when_the_order_changes() -> None:
    state = after("down", "down")
    reordered = replace(SCENE, keys=KEYS[::-1])
    assert cursor_line(state, reordered) == 7
    assert cursor_line(state, replace(SCENE, keys=KEYS[5:])) == 0, "it is not listed any more"
    assert cursor_line(State(), reordered) == 0, "who has not moved sees what is first"


def test_enter_opens_a_site_and_esc_leads_back() -> None:
    state = after("down", "enter")
    assert (state.place, state.site) == (Place.SITE, KEYS[1])
    assert after("escape", state=state).place is Place.SITES
    assert after("enter", scene=replace(SCENE, keys=())).place is Place.SITES, "there is no site"


def test_a_text_scrolls_within_its_bounds() -> None:
    state = after("enter")
    assert after("down", "down", "up", state=state, scene=TEXT).scroll == 1
    assert after("up", state=state, scene=TEXT).scroll == 0
    assert after("G", state=state, scene=TEXT).scroll == 26
    assert after("G", "g", state=state, scene=TEXT).scroll == 0
    assert after("pagedown", "pagedown", state=state, scene=TEXT).scroll == 6


def test_esc_takes_away_the_filter_first_and_then_the_past() -> None:
    state = after("exclamation_mark", "left")
    assert state.choice.only_faults
    assert state.at_ms is not None
    once = after("escape", state=state)
    assert (once.choice.only_faults, once.at_ms) == (False, NOW_MS - 10 * MINUTE_MS)
    assert after("escape", state=once).at_ms is None


def test_sorting_goes_round_and_is_reversed() -> None:
    assert after("s").choice.order is Order.NAME
    assert after(*["s"] * len(Order)).choice.order is Order.STATE
    assert after("r").choice.is_reversed
    assert not after("r", "r").choice.is_reversed


@pytest.mark.parametrize(("key", "name"), [("1", "10m"), ("2", "1h"), ("3", "24h"), ("4", "7d"), ("5", "30d")])
def test_numbers_choose_windows(key: str, name: str) -> None:
    assert after("3", key).choice.window_ms == WINDOWS_MS[name]


def test_w_goes_to_the_next_window_and_round() -> None:
    assert after("w").choice.window_ms == HOUR_MS
    assert after(*["w"] * 5).choice.window_ms == 10 * MINUTE_MS
    assert after("5", scene=replace(SCENE, windows_ms=(HOUR_MS,))).choice.window_ms == 10 * MINUTE_MS, "there is no fifth"


def test_time_is_travelled_by_the_window() -> None:
    assert after("2", "left", "left").at_ms == NOW_MS - 2 * HOUR_MS
    assert after("2", "left", "left", "right").at_ms == NOW_MS - HOUR_MS
    assert after("2", "left", "right").at_ms is None, "that is now"
    assert after("left", "p", "end").at_ms is None
    assert not after("left", "p", "end").is_paused


def test_a_time_is_gone_to() -> None:
    asking = after("t")
    assert asking.prompt
    assert asking.prompt.kind is PromptKind.TIME
    assert after(*"-1d", "enter", state=asking).at_ms == NOW_MS - DAY_MS
    wrong = after(*"soon", "enter", state=asking)
    assert (wrong.at_ms, wrong.prompt) == (None, None)
    assert wrong.message.startswith("time: ")
    assert after("escape", state=asking).prompt is None
    assert after("enter", state=asking).message == "", "nothing was typed"


def test_a_filter_is_applied_as_it_is_typed_and_esc_restores_the_former() -> None:
    state = after("slash", *"sho")
    assert state.choice.wanted == "sho"
    done = after("p", "enter", state=state)
    assert (done.choice.wanted, done.prompt, done.is_paused) == ("shop", None, False)
    again = after("slash", "x", state=done)
    assert again.choice.wanted == "shopx"
    assert after("escape", state=again).choice.wanted == "shop"


def test_a_filter_may_be_pasted_and_nothing_else() -> None:
    assert pasted(after("slash"), "docs\nq").choice.wanted == "docs"
    assert pasted(State(), "q!") == State()


def test_a_filter_is_of_the_list_of_sites() -> None:
    assert after("enter", "slash").place is Place.SITES


def test_incidents_lead_to_their_sites_and_to_the_moment_of_their_alert() -> None:
    state = after("a")
    assert state.place is Place.INCIDENTS
    newest = INCIDENTS[0]
    assert after("enter", state=state).site == (newest.host, newest.location)
    explained = after("e", state=state)
    assert explained.place is Place.EXPLANATION
    assert newest.alert
    assert explained.explain_ms == newest.alert.time_ms + 1
    assert after("escape", "escape", state=explained).place is Place.SITES
    assert after("a", state=state).place is Place.SITES
    assert after("down", "down", "down", state=state).line == len(INCIDENTS) - 1
    nothing = replace(SCENE, incidents=())
    assert after("enter", "e", state=state, scene=nothing) == state


def test_e_explains_the_site_as_it_is_now_and_leads_back() -> None:
    state = after("down", "e")
    assert (state.place, state.site, state.explain_ms) == (Place.EXPLANATION, KEYS[1], None)
    assert after("e", state=state).place is Place.SITES
    assert after("enter", "e", "escape").place is Place.SITE


def test_places_that_one_came_from_are_not_entered_twice() -> None:
    assert after("enter", "e", "a", "question_mark", "a").places == (
        Place.SITES,
        Place.SITE,
        Place.EXPLANATION,
        Place.INCIDENTS,
    )
    assert after("question_mark", "question_mark") == State()


def test_locations_follow_each_other() -> None:
    assert [after(*["l"] * times).choice.location for times in range(4)] == [None, "", "paris", None]
    assert after("l", scene=replace(SCENE, locations=("",))).message == "there is only one location"


def test_themes_follow_each_other() -> None:
    assert after("T").theme is ThemeName.DARK
    assert after("T", "T", "T", "T").theme is ThemeName.AUTO


def test_a_message_goes_with_the_next_key() -> None:
    assert after("j", state=State(message="copied")).message == ""


def test_a_key_without_a_meaning_changes_nothing() -> None:
    assert after("f7", "x", "ctrl+g", "tab") == State()


def test_a_click_goes_to_a_line_and_another_one_opens_it() -> None:
    state = clicked(State(), SCENE, 3, is_again=False)
    assert (state.cursor, state.place) == (KEYS[3], Place.SITES)
    assert clicked(state, SCENE, 3, is_again=True).place is Place.SITE


def test_the_wheel_moves_the_cursor_and_the_text() -> None:
    assert cursor_line(moved_by(State(), SCENE, 3), SCENE) == 3
    assert moved_by(after("enter"), TEXT, 3).scroll == 3
