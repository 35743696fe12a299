"""What remains on the terminal when a run is over, and records of the history with their details."""

import io
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from monitoring.display.drawing.closing import history_text, render_closing
from monitoring.display.view_model.values import Closing, ClosingRow
from monitoring.display.words import alert_sentence
from monitoring.storage.delivery.words import undelivered_text
from tests.support.views import HOSTS, NOON, down, names, recovered, words


def lines_of(renderable: RenderableType, width: int) -> Sequence[str]:
    screen = io.StringIO()
    Console(file=screen, width=width, height=200, force_terminal=True, color_system=None, legacy_windows=False).print(
        renderable
    )
    return screen.getvalue().removesuffix("\n").split("\n")


@settings(deadline=None, max_examples=60)
@given(st.lists(names, max_size=8), st.integers(1, 120))
def test_the_closing_is_never_wider_than_its_terminal(hosts: list[str], width: int) -> None:
    rows = tuple(ClosingRow(host, None, 5, 10, 20, 1) for host in hosts)
    closing = Closing(NOON, NOON + 5, rows, tuple(map(down, hosts)), ("3 points wait",))
    lines = lines_of(render_closing(closing, width), 2 * width + 100)
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)


def test_a_host_longer_than_the_terminal_does_not_push_its_alert_off_the_screen() -> None:
    alerts = (down("http://" + "x" * 2_000), recovered("http://" + "x" * 2_000))
    lines = lines_of(render_closing(Closing(NOON, NOON + 5, (), alerts), 80), 80)
    assert "is down. availability=78.33%" in words(lines)


def test_a_line_of_the_history_has_its_detail_below() -> None:
    first, second = history_text(recovered(HOSTS[0]), "via").plain.split("\n")
    assert first == f"✔ {alert_sentence(recovered(HOSTS[0]), 'via')}"
    assert second.startswith("  cause timeout, first failed check ")


def test_the_closing_screen_says_first_what_is_still_down_and_at_last_where_all_of_it_lies() -> None:
    rows = (ClosingRow(HOSTS[0], None, 1, 1, 1, 1),)
    closing = Closing(NOON - 3_600_000, NOON, rows, (down(HOSTS[0]),), stored="everything is stored in x.db")
    lines = lines_of(render_closing(closing, 200), 200)
    assert lines[0].startswith(f"✖ Still down: Website {HOSTS[0]} has been down for ")
    assert lines[1].startswith("Monitored 1 site")
    assert lines[-1] == "everything is stored in x.db"


def test_the_closing_screen_lists_sites_alerts_and_what_is_not_delivered() -> None:
    rows = (ClosingRow(HOSTS[0], None, 1_800, 3_400_000, 3_500_000, 1), ClosingRow(HOSTS[1], None, 0, 0, 0, 0))
    closing = Closing(NOON - 3_600_000, NOON, rows, (down(HOSTS[0]), recovered(HOSTS[0])), (undelivered_text(1),))
    lines = lines_of(render_closing(closing, 130), 130)
    assert lines[0] == "Monitored 2 sites for 1 h, 2026-01-01T11:00:00.000Z to 2026-01-01T12:00:00.000Z"
    assert words(lines[2:3]) == "http://via.ecp.fr 97.14 % 97 % 1800 1 1 min"
    assert words(lines[3:4]) == "https://example.org/health — 0 % 0 0 —"
    assert lines[4:6] == [f"✖ {alert_sentence(down(HOSTS[0]))}", f"✔ {alert_sentence(recovered(HOSTS[0]))}"]
    assert lines[6].startswith("! 1 point waits in the local file")
