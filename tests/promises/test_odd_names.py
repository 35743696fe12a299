"""A site's name, URL, header or page is data everywhere, whatever it holds."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from monitoring.config import site_host
from monitoring.display.text.jsonlines import alert_json
from monitoring.names import printable
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import FOREVER, local_file, stored_alerts, stored_checks
from tests.support.processes import Running, run_program, write_websites
from tests.support.servers import HttpServer, Request, redirect, response
from tests.support.terminal import Terminal

# One process runs them all, as they look at what one run of three monitors has shown.
pytestmark = [pytest.mark.promise, pytest.mark.xdist_group("odd names")]

OWNED = "\x1b]0;owned\x07"
"""Makes "owned" the title of a terminal that takes it for a command."""

ESCAPES = f"{OWNED}\x1b[2J\x1b[31m\x9b31m\x1bc"

PATHS = {
    '/it\'s"quoted"': 'it\'s "quoted" `and` \\ backslashed\\',
    "/back\\slash\\": "first line\nsecond line\r\ttabbed",
    "/%1b%5d0;owned%07": f"title {OWNED}",
    "/100%": f"colours {ESCAPES}",
    "/<b>html</b>&amp;{{7*7}}": "<script>alert(1)</script>&amp;{{7*7}}",
    '/";DROP+DATABASE+%s--': '"; DROP DATABASE %s --',
    "/x'+OR+host=~/.*/--": "x' OR host =~ /.*/ --",
    "/a,b=c,d=1i": "a,b=c d=1i 1700000000000",
    "/?q=[red]x[/red]": "[red]markup[/red] [link=http://x.example]y[/link] [/]",
    "/bücher/☃": "bücher ☃ straße",
    "/right-to-left": "abc\u202etxt.exe\u2066\u200b hidden",
    "/elsewhere": "a redirect",
    "/nul": "nul\x00 bell\x07 delete\x7f",
}
"""The path of each site and its name; %s is the name of the database."""

BAD_PATHS = (
    *("/nul", '/it\'s"quoted"', "/?q=[red]x[/red]", "/a,b=c,d=1i"),
    *('/";DROP+DATABASE+%s--', "/bücher/☃", "/elsewhere"),
)
"""The sites that fail: their pages lack the text that they should have, or a redirect leads astray."""

HEADER = "\"'; DROP, a=b [red] <b>é</b>"
STILL_DOWN = re.compile(r" (?:has been down for|was down when it was last measured,) ")
"""Of a site whose outage goes on: the monitor that measured it has ended, perhaps minutes ago."""
LINE = re.compile(r"^[ >][●▲✖◐○✔] \S+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of the odd sites: a run in JSON (with InfluxDB), one in plain lines, one on a terminal."""

    names: Mapping[str, str]
    requests: list[Request]
    config: Path
    database: InfluxStore
    stats: dict[str, Any]
    raw_json: list[str]
    plain: list[str]
    screen: str
    sent_to_terminal: bytes
    title: str


@pytest.fixture(scope="module")
def seen(influxd: Influxd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    name = f"odd-{uuid.uuid4()}"
    database = store_at(address_of(influxd, name))
    sites = {path.replace("%s", name): site.replace("%s", name) for path, site in PATHS.items()}
    bad = {path.replace("%s", name) for path in BAD_PATHS}
    with closing(database), HttpServer(answer) as server:
        websites = [website(server.url(path), site, bad=path in bad) for path, site in sites.items()]
        folders = [tmp_path_factory.mktemp(form) for form in ("json", "plain", "screen")]
        configs = [write_websites(folder, websites) for folder in folders]
        write_websites(folders[0], websites, database=influxd.url(name))
        yield watch(configs, server, database, {site_host(str(site["URL"])): str(site["name"]) for site in websites})


def answer(request: Request) -> bytes:
    """A page with odd things in its status line, its headers and its text; or a redirect to an odd address."""
    if request.target == "/elsewhere":
        return redirect(f"gopher://{ESCAPES}[red]/")
    page = response(200, ESCAPES.encode(), {"X-Odd": ESCAPES, "Set-Cookie": f"{ESCAPES}=1"})
    return page.replace(b" Test\r", f" {ESCAPES}\r".encode(), 1)


def website(url: str, name: str, *, bad: bool) -> dict[str, object]:
    expected = {"expectedText": f"wanted {ESCAPES}!"} if bad else {}
    return {"URL": url, "name": name, "headers": {"X-Asked": HEADER}, **expected}


def watch(configs: list[Path], server: HttpServer, database: InfluxStore, names: Mapping[str, str]) -> Seen:
    """Run the three monitors until each has shown statistics and alerts, and end them."""
    with ExitStack() as stack:
        monitor = stack.enter_context(Running("-m", "--format", "json", "-c", configs[0]))
        plain = stack.enter_context(Running("-m", "-c", configs[1]))
        terminal = stack.enter_context(Terminal(200, 60, "-m", "-c", configs[2]))
        monitor.until(lambda running: len(running.announced("alert")) == len(BAD_PATHS) and running.objects("stats"))
        plain.until(lambda running: "== past 10 minutes" in running.text)
        terminal.until("statistics and alerts", lambda text: len(LINE.findall(text)) >= len(PATHS) + len(BAD_PATHS))
        screen = terminal.text
        assert [monitor.interrupt(), plain.interrupt(), terminal.interrupt()] == [0, 0, 0]
        assert (monitor.errors, plain.errors) == ([], [])
        return Seen(
            names=names,
            requests=server.requests,
            config=configs[0],
            database=database,
            stats=monitor.objects("stats")[0],
            raw_json=monitor.printed,
            plain=plain.printed,
            screen=screen,
            sent_to_terminal=terminal.raw,
            title=terminal.title,
        )


def test_every_site_is_asked_for_what_its_url_says(seen: Seen) -> None:
    asked = {unquote(request.target) for request in seen.requests}
    assert len(asked) == len(PATHS)
    assert {'/it\'s"quoted"', "/back\\slash\\", "/?q=[red]x[/red]", "/bücher/☃", "/100%"} <= asked
    assert {request.headers["x-asked"].encode("latin-1").decode() for request in seen.requests} == {HEADER}


def test_both_stores_give_back_what_was_stored(seen: Seen) -> None:
    checks = stored_checks(local_file(seen.config))
    assert {check.host for check in checks} == seen.names.keys()
    assert list(seen.database.results(FOREVER)) == checks


def test_both_stores_give_back_the_alerts(seen: Seen) -> None:
    alerts = stored_alerts(local_file(seen.config))
    assert len(alerts) == len(BAD_PATHS)
    assert seen.database.alerts(FOREVER) == alerts


def test_json_holds_names_as_they_are_written_in_the_configuration(seen: Seen) -> None:
    assert seen.stats["source"] == "influxdb"
    assert {site["URL"]: site["name"] for site in seen.stats["sites"]} == seen.names
    assert [line for line in seen.raw_json if not line.isprintable()] == []


def test_plain_lines_hold_names_harmlessly(seen: Seen) -> None:
    """One line a site, no character in it that a terminal obeys."""
    assert [line for line in seen.plain if not line.isprintable()] == []
    rounds = [place for place, line in enumerate(seen.plain) if line.startswith("== past 10 minutes")]
    rows = seen.plain[rounds[0] + 1 : rounds[0] + 1 + len(seen.names)]
    for line, (host, name) in zip(rows, seen.names.items(), strict=True):
        assert f" {host} " in line
        assert line.partition("  detail=")[0].endswith(f" ({printable(name)})")


def test_the_screen_shows_names_harmlessly(seen: Seen) -> None:
    shown = [printable(name)[:16] for name in seen.names.values()]
    assert [name for name in shown if name not in seen.screen] == []
    assert (seen.title, b"owned\x07" in seen.sent_to_terminal) == ("", False)
    assert [character for character in "\u202e\u2066\u200b\x9b" if character.encode() in seen.sent_to_terminal] == []


def test_the_history_shows_urls_harmlessly(seen: Seen) -> None:
    answer = run_program("-a", "--once", "-c", seen.config)
    lines = answer.stdout.splitlines()
    assert (answer.returncode, answer.stderr, len(lines)) == (0, "", len(BAD_PATHS))
    assert all(line.isprintable() for line in lines)


def test_the_history_in_json_holds_what_was_stored(seen: Seen) -> None:
    answer = run_program("-a", "--once", "--format", "json", "-c", seen.config)
    wanted = [alert_json(alert, seen.names[alert.host]) for alert in stored_alerts(local_file(seen.config))]
    assert [json.loads(line) for line in answer.stdout.splitlines()] == [json.loads(line) for line in wanted]


def test_the_history_on_a_terminal_shows_names_harmlessly(seen: Seen) -> None:
    with Terminal(200, 60, "-a", "--all", "-c", seen.config) as terminal:
        terminal.until("the outages", lambda text: len(STILL_DOWN.findall(text)) == len(BAD_PATHS))
        assert terminal.interrupt() == 0
        assert terminal.title == ""
        down = [printable(seen.names[alert.host])[:16] for alert in stored_alerts(local_file(seen.config))]
        assert [name for name in down if name not in terminal.text] == []


def test_check_config_shows_names_harmlessly(seen: Seen) -> None:
    answer = run_program("--check-config", "-c", seen.config)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert [line for line in answer.stdout.splitlines() if not line.isprintable()] == []
    assert [name for name in seen.names.values() if f"({printable(name)})" not in answer.stdout] == []
