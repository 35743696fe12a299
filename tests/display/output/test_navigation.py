"""Keys: what bytes they are, and what they do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.display.drawing.screen import Drawing, Look
from monitoring.display.output.keys import keys
from monitoring.display.output.navigation import Mode, Navigation, Request
from monitoring.display.view_model.viewing import Choice

WINDOWS_MS = (600_000, 3_600_000)
KEYS = [(f"site{place}", "") for place in range(30)]
DRAWN = Drawing((), KEYS, top=0, page=10)


def after(*pressed: str, drawn: Drawing = DRAWN) -> tuple[Navigation, Request]:
    place, asked = Navigation(), Request.NOTHING
    for key in pressed:
        place, asked = place.after(key, drawn, WINDOWS_MS)
    return place, asked


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("q!w", ["q", "!", "w"]),
        ("\x1b[A\x1b[B\x1bOA", ["up", "down", "up"]),
        ("\x1b[5~\x1b[6~\x1b[H\x1b[F", ["pageup", "pagedown", "home", "end"]),
        ("\r\n", ["enter", "enter"]),
        ("\x1b[1;5C", []),
        ("é日", ["é", "日"]),
        ("\x1b]11;rgb:0000/2b2b/3636\x07?", ["background:#002b36", "?"]),
        ("\x1b]11;rgb:fd/f6/e3\x1b\\", ["background:#fdf6e3"]),
        ("\x1b]11;nonsense\x07", []),
    ],
)
def test_what_is_typed_becomes_keys(typed: str, found: list[str]) -> None:
    assert keys(typed) == (found, "")


def test_a_key_may_come_in_pieces() -> None:
    assert keys("a\x1b[") == (["a"], "\x1b[")
    assert keys("\x1b[" + "A") == (["up"], "")


@given(st.text(), st.text())
def test_whatever_is_typed_does_no_harm(one: str, other: str) -> None:
    found, rest = keys(one)
    assert len(rest) <= 64
    more, _ = keys(rest + other)
    place = Navigation()
    for key in [*found, *more]:
        place, _ = place.after(key, DRAWN, WINDOWS_MS)


def test_the_monitor_stops_only_when_that_is_confirmed() -> None:
    assert after("q")[0].mode is Mode.STOP
    assert after("q", "y")[1] is Request.QUIT
    for key in ("n", "q", "enter", "esc"):
        assert after("q", key) == (Navigation(), Request.NOTHING)


def test_the_cursor_moves_and_stays_on_the_table() -> None:
    assert after("down")[0].look.cursor == KEYS[1]
    assert after("down", "down", "up")[0].look.cursor == KEYS[1]
    assert after("up")[0].look.cursor == KEYS[0]
    assert after("pagedown", "pagedown")[0].look.cursor == KEYS[20]
    assert after("end", "pagedown")[0].look.cursor == KEYS[29]
    assert after("end", "home")[0].look.cursor == KEYS[0]
    assert after("down", drawn=Drawing(()))[0].look.cursor is None


def test_a_key_chooses_the_window_and_another_only_faults() -> None:
    assert after("w")[0].look.choice.window_ms == WINDOWS_MS[1]
    assert after("w", "w")[0].look == Look(Choice(window_ms=WINDOWS_MS[0]))
    assert after("!")[0].look.choice.only_faults
    assert not after("!", "!")[0].look.choice.only_faults


def test_a_viewer_is_asked_for_by_two_keys_and_only_over_a_monitor() -> None:
    assert [after(key)[1] for key in ("v", "enter")] == [Request.VIEWER] * 2
    assert after("?", "v") == after("q", "enter") == (Navigation(), Request.NOTHING)
    assert Navigation(is_monitor=False).after("v", DRAWN, WINDOWS_MS) == (Navigation(is_monitor=False), Request.NOTHING)


def test_a_reader_ends_without_a_question() -> None:
    assert Navigation(is_monitor=False).after("q", DRAWN, WINDOWS_MS)[1] is Request.QUIT


def test_help_scrolls_and_any_other_key_leaves_it() -> None:
    assert after("?", "down", "down", "up")[0].help_top == 1
    assert after("?", "up")[0].help_top == 0
    assert after("?", "down", "x")[0].mode is Mode.SITES
