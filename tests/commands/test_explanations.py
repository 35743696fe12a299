"""Command line, page and viewer explain a site alike, also one in maintenance."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.alerts.explain import Explanation
from monitoring.commands.live.viewer_feed import ViewerFeed
from monitoring.commands.live.web import PageReader
from monitoring.commands.oneshot.explain import explanations
from monitoring.config import Config, parse_database
from monitoring.config.keys.maintenance import Maintenance
from monitoring.display.text.explanation import explanation_lines
from monitoring.display.view_model.viewing import WINDOWS_MS
from monitoring.models import Cause, Site, Window
from monitoring.storage.multi_location import DELAY_MS
from monitoring.storage.routing import ReaderChoice
from monitoring.storage.sqlite.file.connection import opened_briefly, transaction
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import maintenance
from monitoring.viewer.snapshot import Snapshot, Wanted
from tests.support.clock import FakeClock
from tests.support.points import START_MS, alert, checks

NOW_MS = START_MS + 60_000
SITE = Site("a", "http://a/", "shop", interval_ms=2_000, timeout_ms=10_000)
PLANNED = Window(START_MS + 40_000, NOW_MS + 600_000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of a site that is down since its 30th second."""
    made = Config((SITE,), parse_database("sqlite:", {}), tmp_path / "config.db")
    with closing(LocalStore(made.local_database)) as store:
        store.append([*checks(range(0, 10, 2)), *checks(range(10, 60, 2), cause=Cause.DNS)], [alert(36)], START_MS)
    return made


@pytest.fixture(params=["none", "planned", "by hand"])
def maintained(config: Config, request: pytest.FixtureRequest) -> tuple[Config, Window | None]:
    """The configuration, and the maintenance that the site is in."""
    if request.param == "planned":
        return replace(config, maintenance=(Maintenance(frozenset({"a"}), once=PLANNED),)), PLANNED
    if request.param == "by hand":
        with opened_briefly(config.local_database) as connection, transaction(connection):
            maintenance.begin(connection, ["a"], PLANNED)
        return config, PLANNED
    return config, None


@pytest.fixture
def choice(maintained: tuple[Config, Window | None], clock: FakeClock) -> Iterator[ReaderChoice]:
    with closing(ReaderChoice(maintained[0], clock)) as choice:
        yield choice


def told(config: Config, choice: ReaderChoice, clock: FakeClock, at_ms: int) -> Explanation:
    """What `--explain` prints."""
    (found,) = explanations(config, SITE, clock, at_ms, *choice.choose())[0].values()
    return found


def test_the_page_explains_as_the_command_line_does(
    maintained: tuple[Config, Window | None], choice: ReaderChoice, clock: FakeClock
) -> None:
    config, window = maintained
    page = PageReader(config, choice, clock)
    page.step()
    (incident,) = page.board.latest().overview.incidents
    found = told(config, choice, clock, NOW_MS - DELAY_MS)
    assert found.maintenance == window
    assert page.board.questions.explain(incident) == explanation_lines(found, "", "local")


@pytest.mark.parametrize("at_ms", [NOW_MS - DELAY_MS, START_MS + 36_001])
def test_the_viewer_explains_as_the_command_line_does(
    maintained: tuple[Config, Window | None], choice: ReaderChoice, clock: FakeClock, at_ms: int
) -> None:
    config, window = maintained
    shown: list[Snapshot] = []
    feed = ViewerFeed(config, choice, clock)
    ten_minutes = WINDOWS_MS["10m"]
    feed.look(shown.append, Wanted(ten_minutes, frozenset({ten_minutes}), key=("a", ""), explain_ms=at_ms))
    feed.step()
    facts = shown[-1].facts_of(("a", ""))
    found = told(config, choice, clock, at_ms)
    assert found.maintenance == (window if window and window.from_ms <= at_ms else None)
    assert facts
    assert facts.explanation == found
