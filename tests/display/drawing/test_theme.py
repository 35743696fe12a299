"""Colours can be read on every background that terminals are known to have."""

import pytest

from monitoring.display.drawing.theme import (
    DARK,
    LEAST_CONTRAST,
    LIGHT,
    MONO,
    PAINTED,
    STATE_TOKENS,
    ThemeName,
    colours,
    contrast,
    theme,
)

BLACK, WHITE, SOLARIZED_DARK, SOLARIZED_LIGHT = "#000000", "#ffffff", "#002b36", "#fdf6e3"
STEPS = (0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF)


@pytest.mark.parametrize("background", [BLACK, WHITE, SOLARIZED_DARK, SOLARIZED_LIGHT])
def test_every_colour_has_contrast_enough_on_every_background(background: str) -> None:
    found = theme(ThemeName.AUTO, background)
    assert {colour for colour in colours(found.tokens) if contrast(colour, background) < LEAST_CONTRAST} == set()
    assert (found.background, found.text) == ("", ""), "the terminal's own background stays"


@pytest.mark.parametrize("background", [None, "#808080", "#268bd2"])
def test_a_background_on_which_colours_cannot_be_read_is_painted_over(background: str | None) -> None:
    assert theme(ThemeName.AUTO, background) == PAINTED[ThemeName.DARK]


@pytest.mark.parametrize("name", [ThemeName.DARK, ThemeName.LIGHT])
def test_what_is_painted_can_be_read(name: ThemeName) -> None:
    painted = theme(name, None)
    for colour in (*colours(painted.tokens), painted.text):
        assert contrast(colour, painted.background) >= LEAST_CONTRAST, colour


def test_black_on_white_is_the_greatest_contrast() -> None:
    assert contrast(BLACK, WHITE) == contrast(WHITE, BLACK) == pytest.approx(21)
    assert contrast("#777777", WHITE) == pytest.approx(4.48, abs=0.01), "as WCAG's own example"


def test_no_colour_is_bright_black_and_each_is_in_the_palette_of_256() -> None:
    for tokens in (DARK, LIGHT, MONO):
        assert "bright_black" not in " ".join(tokens.values())
        for colour in colours(tokens):
            parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
            assert all(part in STEPS for part in parts), colour


def test_without_colours_there_are_attributes_for_every_token() -> None:
    assert colours(theme(ThemeName.MONO, WHITE).tokens) == set()
    assert DARK.keys() == LIGHT.keys() == MONO.keys() >= set(STATE_TOKENS.values())


def test_themes_follow_each_other() -> None:
    assert [name.next for name in ThemeName] == [ThemeName.DARK, ThemeName.LIGHT, ThemeName.MONO, ThemeName.AUTO]
