"""The viewer end to end: the real program on a real terminal, with sites that go down, without data, without a database."""

import base64
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.storage.sqlite.store import LocalStore
from tests.support.monitor import Monitor, local_file
from tests.support.page import HOSTILE
from tests.support.points import START_MS, alert, checks, recovery
from tests.support.processes import run_program, write_websites
from tests.support.target import Target
from tests.support.terminal import ALTERNATE_SCREEN, NORMAL_SCREEN, Terminal

pytestmark = pytest.mark.promise

WAITS = "no monitor has run here yet"


@pytest.fixture
def config(target: Target, tmp_path: Path) -> Path:
    """A site that is up and one that is down."""
    target.go_down("/bad")
    return write_websites(
        tmp_path, [{"URL": target.url("/good"), "name": "shop"}, {"URL": target.url("/bad"), "name": "mail"}]
    )


@pytest.mark.parametrize(("width", "height"), [(60, 20), (80, 24), (120, 40), (200, 50)])
def test_a_site_goes_down_and_comes_back_before_the_viewers_eyes(
    config: Path, target: Target, width: int, height: int
) -> None:
    with Terminal(width, height, "-p", "-c", config) as terminal:
        terminal.until("that nothing was measured", lambda text: WAITS in " ".join(text.split()))
        with Monitor(config) as monitor:
            terminal.until("both sites", lambda text: re.search(r"✖ mail +down", text) and re.search(r"● shop +up", text))
            terminal.until("the incident", lambda text: "INCIDENTS  1 open" in text)
            terminal.type(b"!")
            terminal.until("only faults", lambda text: "shop" not in text)
            target.come_back("/bad")
            terminal.until("the recovery", lambda text: "mail" not in text.partition("INCIDENTS")[0])
            terminal.type(b"!")
            terminal.until("both sites again", lambda text: re.search(r"● mail +up", text))
            assert monitor.terminate() == 0
        assert terminal.interrupt() == 0
        assert terminal.raw.count(ALTERNATE_SCREEN) == terminal.raw.count(NORMAL_SCREEN) == 1
        assert "Traceback" not in terminal.text


def test_a_site_is_opened_explained_and_copied(config: Path) -> None:
    with Monitor(config) as monitor, Terminal(100, 60, "-p", "-c", config) as terminal:
        monitor.wait_for_announcement("alert")
        terminal.until("the outage", lambda text: re.search(r"✖ mail +down", text))
        terminal.type(b"\r")
        terminal.until("the site", lambda text: "Past 24h" in text and "Last checks" in text and "status 503" in text)
        terminal.until("its rule", lambda text: "a recovery needs" in text)
        terminal.type(b"e")
        terminal.until("why", lambda text: "EXPLANATION" in text and "has been down for" in text)
        terminal.type(b"y")
        terminal.until("what was copied", lambda text: "copied" in text)
        (copied,) = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", terminal.raw)
        assert "mail" in base64.b64decode(copied).decode()
        terminal.type(b"\x1b")
        terminal.until("the site again", lambda text: "Past 24h" in text)
        terminal.type(b"\x1b")
        terminal.until("the sites", lambda text: "2 sites" in text)
        terminal.type(b"Q")
        assert terminal.end() == 0
        assert "2 sites" in terminal.raw.rpartition(NORMAL_SCREEN)[2].decode(), "Q keeps the screen"


def test_incidents_are_what_a_begins_with(config: Path) -> None:
    with closing(LocalStore(local_file(config))) as store:
        store.append(checks(range(0, 20, 2), host="http://gone.example"), [alert(0, "http://gone.example")], 0)
    with Terminal(120, 30, "-a", "-c", config) as terminal:
        terminal.until("the outage of a site that is not configured", lambda text: "http://gone.example" in text)
        assert "1 recorded, 1 open" in terminal.text
        with closing(LocalStore(local_file(config))) as store:
            store.append([], [recovery(90, "http://gone.example")], START_MS)
        terminal.until("that it is over", lambda text: "1 recorded, 0 open" in text and "✔" in text)
        terminal.type(b"q")
        assert terminal.end() == 0
        assert b"gone.example" not in terminal.raw.rpartition(NORMAL_SCREEN)[2], "q leaves nothing"


def test_names_are_data(tmp_path: Path, target: Target) -> None:
    sites = [{"URL": target.url(f"/{number}"), "name": name} for number, name in enumerate(HOSTILE)]
    config = write_websites(tmp_path, sites)
    with Monitor(config), Terminal(200, 40, "-p", "-c", config) as terminal:
        terminal.until("the sites", lambda text: f"● {len(HOSTILE)} up" in text)
        assert "<script>document.title='owned'</script>" in terminal.text
        assert "\\u202egnp.exe" in terminal.text
        assert "owned" not in terminal.title
        terminal.type(b"/gnp\r\r")
        terminal.until("its screen", lambda text: "\\u202egnp.exe\\u202c \\x1b[31mred\\x07" in text and "Past 24h" in text)


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


def test_a_database_that_hangs_delays_no_key(tmp_path: Path, silent_server: int) -> None:
    config = write_websites(
        tmp_path, [{"URL": "http://127.0.0.1:9/"}], database=f"influxdb://127.0.0.1:{silent_server}/monitoring"
    )
    with Terminal(80, 24, "-p", "-c", config) as terminal:
        terminal.until("the frame", lambda text: "1 site" in text)
        terminal.type(b"?")
        terminal.until("the help", lambda text: "one line up or down" in text, 2.0)
        terminal.type(b"?")
        terminal.until("why there is nothing", lambda text: "does not answer" in text or "timed out" in text)
        terminal.type(b"q")
        assert terminal.end() == 0


@pytest.mark.parametrize(("more", "environ"), [((), {"TERM": "dumb"}), (("--format", "json"), {})], ids=["dumb", "json"])
def test_where_nobody_can_look_it_prints(config: Path, more: tuple[str, ...], environ: dict[str, str]) -> None:
    with Terminal(80, 24, "-p", *more, "-c", config, environ=environ) as terminal:
        terminal.until("that nothing was measured", lambda text: WAITS in " ".join(text.split()))
        assert terminal.interrupt() == 0
        assert ALTERNATE_SCREEN not in terminal.raw


def test_once_prints(config: Path) -> None:
    assert "\x1b" not in run_program("-p", "--once", "-c", config).stdout
