"""Every key and the mouse, on the real application without a terminal (textual's pilot)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.strip import Strip

from monitoring.display.drawing.theme import DARK, LIGHT, colours
from monitoring.display.view_model.viewing import WINDOWS_MS, Order
from monitoring.models import State as SiteState
from monitoring.viewer.app import Settings, Viewer
from monitoring.viewer.canvas import Canvas
from monitoring.viewer.snapshot import Snapshot, Wanted
from monitoring.viewer.state import Place, State
from tests.support.clock import FakeClock
from tests.support.viewing import LENGTHS_MS, ROWS, FakeFeed, snapshot, with_facts
from tests.support.views import HOSTS, NOON

Steps = Callable[["Stage"], Awaitable[None]]


class Stage:
    """The running application, its feed, and what its screen says."""

    def __init__(self, known: Snapshot | None, state: State | None = None, background: str | None = "#000000") -> None:
        self.feed = FakeFeed(known)
        self.clock = FakeClock(NOON)
        self.app = Viewer(self.feed, self.clock, Settings(state or State(), LENGTHS_MS, 4, background))
        self.pilot: Pilot[object] = None  # type: ignore[assignment]

    def run(self, steps: Steps, size: tuple[int, int] = (100, 30)) -> None:
        async def play() -> None:
            async with self.app.run_test(size=size) as self.pilot:
                await self.pilot.pause()
                await steps(self)

        asyncio.run(play())

    async def press(self, *keys: str) -> str:
        """The screen after these keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()
        return self.text

    @property
    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.strips())

    def strips(self) -> Sequence[Strip]:
        canvas = self.app.query_one(Canvas)
        return [canvas.render_line(y) for y in range(canvas.size.height)]

    def colours(self) -> set[str]:
        """The colours of texts on the screen."""
        styles = [part.style for strip in self.strips() for part in strip if part.style]
        return {style.color.name for style in styles if style.color}

    @property
    def wanted(self) -> Wanted:
        return self.feed.wanted[-1]


def cursor_on(text: str) -> str:
    """The first words of the line with the cursor."""
    return next(line[3:12].strip() for line in text.splitlines() if line.startswith(">"))


def test_a_line_of_one_style_has_it() -> None:
    """The banner of the past is reversed, and headings of the help are bold."""

    async def steps(stage: Stage) -> None:
        await stage.press("left")
        (past,) = [part.style for part in stage.strips()[0] if "PAST" in part.text]
        assert past is not None
        assert past.reverse
        await stage.press("question_mark")
        (title,) = [part.style for strip in stage.strips() for part in strip if part.text.strip() == "Keys"]
        assert title is not None
        assert title.bold

    Stage(snapshot()).run(steps)


def test_sites_are_shown_and_the_keys_move() -> None:
    async def steps(stage: Stage) -> None:
        assert cursor_on(stage.text) == "orders"
        assert cursor_on(await stage.press("down")) == "mail"
        assert cursor_on(await stage.press("j")) == "shop"
        assert cursor_on(await stage.press("k", "up")) == "orders"
        assert cursor_on(await stage.press("G")) == "docs"
        assert cursor_on(await stage.press("g")) == "orders"
        assert cursor_on(await stage.press("pagedown")) == "docs"
        assert cursor_on(await stage.press("pageup")) == "orders"

    Stage(snapshot()).run(steps)


def test_a_site_is_opened_and_left() -> None:
    async def steps(stage: Stage) -> None:
        text = await stage.press("down", "enter")
        assert "mail" in text.splitlines()[0]
        assert "Past 24h" in text
        assert stage.wanted.key == (HOSTS[3], "")
        assert stage.wanted.windows_ms == frozenset(LENGTHS_MS)
        assert cursor_on(await stage.press("escape")) == "mail"
        assert stage.wanted.key is None

    Stage(with_facts(snapshot(), HOSTS[3])).run(steps)


def test_a_filter_is_typed_and_inverted() -> None:
    async def steps(stage: Stage) -> None:
        text = await stage.press("slash", *"state:down")
        assert "shop" not in text
        assert text.splitlines()[-1].startswith(" filter: state:down")
        text = await stage.press("enter")
        assert "filter: state:down" in text.splitlines()[0]
        assert cursor_on(await stage.press("slash", "ctrl+u", *"!orders", "enter")) == "mail"
        assert "orders" in await stage.press("escape")

    Stage(snapshot()).run(steps)


def test_faults_order_window_and_location() -> None:
    async def steps(stage: Stage) -> None:
        assert "shop" not in await stage.press("exclamation_mark")
        assert "shop" in await stage.press("exclamation_mark")
        assert "sorted by name" in await stage.press("s")
        assert cursor_on(await stage.press("g")) == "docs"
        assert cursor_on(await stage.press("r", "g")) == "shop [par"
        assert "TREND 1h" in await stage.press("2")
        assert "TREND 24h" in await stage.press("w")
        assert "TREND 30d" in await stage.press("5")
        assert stage.wanted.window_ms == WINDOWS_MS["30d"]
        assert "TREND 10m" in await stage.press("1")
        assert "location: paris" in await stage.press("l", "l")

    Stage(snapshot([*ROWS, replace(ROWS[0], location="paris")])).run(steps)


def test_time_is_travelled_and_the_present_comes_back() -> None:
    async def steps(stage: Stage) -> None:
        text = await stage.press("left")
        assert "PAST" in text.splitlines()[0]
        assert "reading" in text.splitlines()[0]
        assert stage.wanted.at_ms == NOON - WINDOWS_MS["10m"]
        stage.feed.tell(snapshot(at_ms=stage.wanted.at_ms))
        await stage.pilot.pause()
        assert "reading" not in stage.text.splitlines()[0]
        await stage.press("left", "right")
        assert stage.wanted.at_ms == NOON - WINDOWS_MS["10m"]
        await stage.press("t", *"-1d", "enter")
        assert stage.wanted.at_ms == NOON - WINDOWS_MS["24h"]
        await stage.press("end")
        assert stage.wanted.at_ms is None

    Stage(snapshot()).run(steps)


def test_a_pause_keeps_what_is_shown() -> None:
    async def steps(stage: Stage) -> None:
        assert "PAUSED" in await stage.press("p")
        stage.feed.tell(snapshot(ROWS[:2]))
        await stage.pilot.pause()
        assert "4 sites" in stage.text
        text = await stage.press("p")
        assert "2 sites" in text
        assert "PAUSED" not in text

    Stage(snapshot()).run(steps)


def test_incidents_explanation_and_help_lead_back() -> None:
    async def steps(stage: Stage) -> None:
        assert "2 recorded, 1 open" in await stage.press("a")
        assert "EXPLANATION" in await stage.press("e")
        assert stage.wanted.explain_ms == NOON - 60_000 + 1
        assert "one line up or down" in await stage.press("question_mark")
        assert "2 recorded" in await stage.press("question_mark", "escape")
        assert "4 sites" in await stage.press("escape")

    Stage(snapshot()).run(steps)


def test_themes_change_colours_and_are_named() -> None:
    async def steps(stage: Stage) -> None:
        assert stage.colours() <= colours(DARK), "the background is black"
        assert "theme: dark" in await stage.press("T")
        assert stage.colours() <= colours(DARK) | {"#e4e4e4"}
        assert "theme: light" in await stage.press("T")
        assert stage.colours() <= colours(LIGHT) | {"#121212"}
        assert "theme: mono" in await stage.press("T")
        assert stage.colours() == set()
        assert "theme: auto" in await stage.press("T")

    Stage(snapshot()).run(steps)


def test_on_light_background_colours_are_dark_and_without_colours_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def light(stage: Stage) -> None:
        assert stage.colours() <= colours(LIGHT)

    async def without(stage: Stage) -> None:
        await stage.press("T")
        assert stage.colours() == set()

    Stage(snapshot(), background="#fdf6e3").run(light)
    monkeypatch.setenv("NO_COLOR", "1")
    Stage(snapshot()).run(without)


def test_what_is_copied_is_the_line_or_the_text() -> None:
    async def steps(stage: Stage) -> None:
        assert "copied 1 line" in await stage.press("y")
        assert stage.app.clipboard.startswith(">✖ orders")
        await stage.press("question_mark", "y")
        assert "copy the line" in stage.app.clipboard

    Stage(snapshot()).run(steps)


def test_the_screen_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(stage: Stage) -> None:
        assert "saved website-monitor-" in await stage.press("S")
        (found,) = tmp_path.glob("website-monitor-*.svg")
        svg = found.read_text()
        assert svg.startswith("<svg")
        assert "orders" in svg

    monkeypatch.chdir(tmp_path)
    Stage(snapshot()).run(steps)


def test_q_leaves_nothing_and_capital_q_leaves_the_screen() -> None:
    async def quit_it(stage: Stage) -> None:
        await stage.press("q")

    async def keep(stage: Stage) -> None:
        await stage.press("Q")

    stage = Stage(snapshot())
    stage.run(quit_it)
    assert stage.app.return_value == ()
    stage = Stage(snapshot())
    stage.run(keep)
    assert stage.app.return_value
    assert any("orders" in line.plain for line in stage.app.return_value)


def test_keys_that_wait_hold_up_no_end() -> None:
    """A key that is held down, or a long text that is pasted: after the end was asked for nothing more is drawn."""
    stage = Stage(snapshot())

    async def steps(stage: Stage) -> None:
        before = stage.text
        stage.app.action_leave()
        stage.app.on_key(events.Key("question_mark", "?"))
        assert stage.text == before

    stage.run(steps)


def test_clicks_and_the_wheel() -> None:
    async def steps(stage: Stage) -> None:
        y = next(y for y, line in enumerate(stage.text.splitlines()) if " docs" in line)
        await stage.pilot.click(offset=(5, y))
        await stage.pilot.pause()
        assert cursor_on(stage.text) == "docs"
        await stage.pilot.click(offset=(5, y))
        await stage.pilot.pause()
        assert "Past 24h" in stage.text
        assert "docs" in stage.text.splitlines()[0]

    Stage(snapshot()).run(steps)


def test_before_the_first_answer_every_key_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def steps(stage: Stage) -> None:
        assert "4 sites" in stage.text
        assert "reading …" in stage.text
        await stage.press("j", "enter", "a", "left", "y", "S", "slash", "escape")
        stage.feed.tell(snapshot())
        await stage.pilot.pause()
        assert "orders" in stage.text

    Stage(None).run(steps)


def test_a_store_that_hangs_makes_what_is_shown_old() -> None:
    """No snapshot comes any more; the screen goes on by its own clock."""

    async def steps(stage: Stage) -> None:
        stage.clock.advance(240)
        await stage.pilot.pause(1.2)
        assert "nothing new was measured" in stage.text
        assert f"4 {SiteState.UNKNOWN}" in stage.text

    Stage(snapshot()).run(steps)


def test_the_viewer_of_incidents_begins_with_them() -> None:
    async def steps(stage: Stage) -> None:
        assert "2 recorded, 1 open" in stage.text
        assert "4 sites" in await stage.press("escape")

    Stage(snapshot(), State((Place.SITES, Place.INCIDENTS))).run(steps)


def test_a_smaller_terminal_is_drawn_anew() -> None:
    async def steps(stage: Stage) -> None:
        await stage.pilot.resize_terminal(60, 10)
        await stage.pilot.pause()
        assert max(map(len, stage.text.splitlines())) <= 60
        assert len(stage.text.splitlines()) <= 10

    Stage(snapshot()).run(steps)


def test_orders_come_round() -> None:
    async def steps(stage: Stage) -> None:
        assert "sorted by" not in await stage.press(*["s"] * len(Order))

    Stage(snapshot()).run(steps)
