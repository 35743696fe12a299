"""`-p`: what monitors elsewhere measure, as they would show it themselves, whoever measures it and wherever it is kept."""

import json
import os
import re
import signal
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitoring.config.parsing.durations import moment_ms
from monitoring.storage.base import Points
from monitoring.storage.sqlite.store import LocalStore
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import Monitor, local_file, stored_checks, undelivered, wait_for, wait_for_checks
from tests.support.printed import (
    assert_right,
    no_monitor,
    of_day,
    story,
    windows,
)
from tests.support.processes import Running, run_program, without_textual, write_websites
from tests.support.target import Target
from tests.support.terminal import ALTERNATE_SCREEN, NORMAL_SCREEN, Terminal

pytestmark = pytest.mark.promise

NONE_YET = "no monitor has run here yet"


def printed(*arguments: str | Path) -> list[dict[str, Any]]:
    """What `-p --format json` prints with these arguments; it ends by itself."""
    answer = run_program("-p", "--format", "json", *arguments)
    assert (answer.returncode, answer.stderr) == (0, "")
    return [json.loads(line) for line in answer.stdout.splitlines()]


# While a monitor runs


@pytest.mark.parametrize("where", ["the local file", "InfluxDB"])
def test_two_printers_show_what_a_running_monitor_measures(
    where: str, influxd: Influxd, target: Target, tmp_path: Path
) -> None:
    """Every number is that of the stored checks, states are the monitor's, and so is each alert, once."""
    database = "sqlite:" if where == "the local file" else influxd.url(f"print-{uuid.uuid4()}")
    config = write_websites(
        tmp_path, [{"URL": target.url("/a"), "name": "first"}, {"URL": target.url("/b")}], database=database
    )
    source = "local" if where == "the local file" else "influxdb"
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config), 20)
        with (
            Running("-p", "--format", "json", "-c", config) as one,
            Running("-p", "--format", "json", "--window", "5m", "-c", config) as two,
        ):
            for program in (one, two):  # what was decided before their start is history
                program.until(windows)
            one.until(lambda running: len(windows(running)) >= 2)
            target.go_down("/b")
            for program in (one, two):
                program.until(lambda running: running.announced("alert"))
                program.until(lambda running: windows(running)[-1]["sites"][1]["state"] == "down")
            target.come_back("/b")
            for program in (one, two):
                program.until(lambda running: running.announced("recovery"))
                program.until(lambda running: windows(running)[-1]["sites"][1]["state"] == "up")
            assert [one.interrupt(), two.terminate(), monitor.terminate()] == [0, 0, 0]
        alerts = monitor.objects("alert")
        assert [one.objects("alert"), two.objects("alert"), one.errors, two.errors] == [alerts, alerts, [], []]
    assert {found["window"] for found in one.objects("stats")} == {600, 3600}
    assert {found["window"] for found in two.objects("stats")} == {300}
    assert {found["source"] for found in (*windows(one), *windows(two))} == {source}
    assert_right(stored_checks(local_file(config)), [*windows(one), *windows(two)])
    last, came_back = windows(one)[-1]["sites"], alerts[-1]
    assert [(site["name"], site["state"]) for site in last] == [("first", "up"), (None, "up")]
    assert last[1]["since"] == came_back["endDate"]


def test_once_prints_what_the_monitor_printed(target: Target, tmp_path: Path) -> None:
    """For the same window until the same moment, to the last character; unless a check was under way just then.

    Moments of statistics are 10 s apart, which is no multiple of the interval: no check is under way at all of them.
    """
    sites = [{"URL": target.url("/a")}, {"URL": target.url("/b"), "name": "bee"}]
    config = write_websites(tmp_path, sites, defaultCheckInterval=0.7)
    target.go_down("/b")
    with Monitor(config) as monitor:
        monitor.wait_for_announcement("alert")
        wait_for(lambda: [one for one in monitor.objects("stats") if one["window"] == 600][2:], "three moments")
        assert monitor.terminate() == 0
    shown = monitor.objects("stats")
    seen = [printed("--at", one["until"], "--window", str(one["window"]), "-c", config) for one in shown]
    assert [one for one, other in zip(shown, seen, strict=True) if [one] == other]


def test_it_waits_for_the_first_monitor_and_says_so_once(target: Target, tmp_path: Path) -> None:
    config = write_websites(tmp_path, [{"URL": target.url("/a")}])
    with (
        Running("-p", "-c", config) as printer,
        Running("-p", "--format", "json", "-c", config) as script,
    ):
        for program in (printer, script):
            program.until(lambda running: running.errors)
        assert printer.printed == ["== waiting for the first checks: 1 site, reading nothing"]
        assert (script.printed, local_file(config).exists()) == ([], False)
        with Monitor(config) as monitor:
            printer.until(lambda running: "up    " in running.text or "\nup  " in running.text)
            script.until(windows)
            assert "== reading the local file: as configured" in printer.printed
            assert monitor.terminate() == 0
        assert [printer.interrupt(), script.interrupt()] == [0, 0]
        assert [printer.errors, script.errors] == [[no_monitor(config)], [no_monitor(config)]]


def test_it_goes_to_the_local_file_and_back_as_the_database_goes_and_comes(
    own_influxd: Influxd, target: Target, tmp_path: Path
) -> None:
    config = write_websites(tmp_path, [{"URL": target.url("/a")}], database=own_influxd.url("print"))
    with Monitor(config) as monitor, Running("-p", "--format", "json", "-c", config) as printer:
        sources = lambda: [found["source"] for found in windows(printer)]  # noqa: E731 - asked again and again
        wait_for(lambda: sources()[-1:] == ["influxdb"], "InfluxDB is read")
        own_influxd.kill()
        wait_for(lambda: sources()[-1:] == ["local"], "the local file is read")
        own_influxd.start()
        wait_for(lambda: sources()[-1:] == ["influxdb"], "InfluxDB is read again", 120)
        assert (printer.interrupt(), monitor.terminate()) == (0, 0)
    assert_right(stored_checks(local_file(config)), windows(printer))


def test_it_follows_the_configuration(target: Target, tmp_path: Path) -> None:
    """A new one shows at once, a bad one is told, and SIGHUP, which asks for one, ends nothing."""
    sites = [{"URL": target.url("/a")}, {"URL": target.url("/b")}]
    config = write_websites(tmp_path, sites[:1])
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config))
        with Running("-p", "--format", "json", "-c", config) as printer:
            printer.until(windows)
            os.kill(printer.pid, signal.SIGHUP)
            config.write_text("{")
            printer.until(lambda running: "the previous configuration stays in use" in running.errors)
            write_websites(tmp_path, sites[1:])
            printer.until(lambda running: [site["URL"] for site in windows(running)[-1]["sites"]] == [target.url("/b")])
            assert (printer.interrupt(), monitor.terminate()) == (0, 0)


def test_without_textual_the_terminal_shows_the_monitors_table_and_keeps_the_last(target: Target, tmp_path: Path) -> None:
    config = write_websites(tmp_path, [{"URL": target.url("/a"), "name": "shop"}, {"URL": target.url("/b")}])
    target.go_down("/b")
    with Terminal(120, 30, "-p", "-c", config, program=without_textual) as terminal:
        terminal.until("the sentence", lambda text: NONE_YET in text)
        with Monitor(config) as monitor:
            terminal.until("the outage", lambda text: re.search(r"✖ \d\d:\d\d- +\S+ +http://127\.0\.0\.1", text))
            terminal.until("both windows", lambda text: re.search(r"✖ http\S* +down +\S+ +\d+\.\d+ +\d+\.\d+ ", text))
            terminal.until("the shop", lambda text: "shop" in text and NONE_YET not in text)
            assert "reading the local file: as configured" in terminal.text
            assert monitor.terminate() == 0
        assert terminal.interrupt() == 0
        assert terminal.raw.count(ALTERNATE_SCREEN) == terminal.raw.count(NORMAL_SCREEN) == 1
        assert re.search(r"SITE +STATE +10m +1h", terminal.text)
        assert "Traceback" not in terminal.text


def test_alerts_follow_the_configuration_as_well(tmp_path: Path) -> None:
    """Another local file holds another history."""
    config = write_websites(tmp_path, [{"URL": "http://second.example"}])
    opened, over = story()[1]
    with closing(LocalStore(local_file(config))) as here, closing(LocalStore(tmp_path / "other.db")) as there:
        here.append([], [opened], 0)
        there.append([], [opened, over], 0)
        with Running("-a", "--format", "json", "-c", config) as watcher:
            watcher.until(lambda running: running.objects("alert"))
            write_websites(tmp_path, [{"URL": "http://second.example", "name": "second"}], localDatabase="other.db")
            watcher.until(lambda running: running.announced("recovery"))
            assert watcher.interrupt() == 0
    assert [(found["type"], found["name"]) for found in watcher.objects("alert")] == [
        ("alert", None),
        ("recovery", "second"),
    ]


# Once


def test_before_any_monitor_once_says_what_to_do_and_fails(tmp_path: Path) -> None:
    config = write_websites(tmp_path, [{"URL": "http://first.example"}])
    for arguments in (("--once",), ("--at", "2026-01-01 12:00")):
        answer = run_program("-p", *arguments, "-c", config)
        assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"{no_monitor(config)}\n")
    assert not local_file(config).exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--window", "often"), 2, "argument --window: must be a duration"),
        (("--window", "0"), 2, "argument --window: must be from 1 s to 3650 d"),
        (("--at", "noon"), 2, "argument --at: must be a time"),
        (("--at", "2100-01-01"), 2, "--at: "),
    ],
)
def test_what_makes_no_sense_is_refused(kept: Path, arguments: tuple[str, str], status: int, message: str) -> None:
    answer = run_program("-p", *arguments, "-c", kept)
    assert (answer.returncode, answer.stdout) == (status, "")
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A configuration whose local file holds the story."""
    sites = [{"URL": "http://first.example"}, {"URL": "http://second.example"}]
    config = write_websites(tmp_path, sites, defaultCheckInterval=10)
    with closing(LocalStore(local_file(config))) as store:
        store.append(*story(), 0)
    return config


@pytest.fixture
def kept_in_influxdb(influxd: Influxd, tmp_path: Path) -> Path:
    """A configuration whose database holds the story; there is no local file."""
    name = f"print-{uuid.uuid4()}"
    with closing(store_at(address_of(influxd, name))) as store:
        store.verify("test")
        store.write(Points(*story()))
    sites = [{"URL": "http://first.example"}, {"URL": "http://second.example"}]
    return write_websites(tmp_path, sites, defaultCheckInterval=10, database=influxd.url(name))


STORY = {
    "11:10": ("up", "11:00:00", None),
    "11:20:25": ("failing", "11:20:00", "11:20:20"),
    "11:30": ("down", "11:20:00", "11:29:50"),
    "11:41": ("recovering", "11:40:00", "11:39:50"),
    "11:50": ("up", "11:40:00", "11:39:50"),
    "13:00": ("unknown", "12:00:00", "11:39:50"),
}
"""What is known of the second site at a time of day: its state, since when, its last failure."""


@pytest.mark.parametrize("moment", STORY)
@pytest.mark.parametrize("where", ["kept", "kept_in_influxdb"])
def test_the_screen_of_any_moment_can_be_seen_again(where: str, moment: str, request: pytest.FixtureRequest) -> None:
    """Statistics, states and outages of that time, from whichever store."""
    config = request.getfixturevalue(where)
    found = printed("--at", f"2026-01-01T{moment}Z", "-c", config)
    assert [window["window"] for window in found] == [600, 3600]
    assert {moment_ms(window["until"]) for window in found} == {moment_ms(f"2026-01-01T{moment}Z")}
    assert_right(story()[0], found)
    state, since, failure = STORY[moment]
    second = found[1]["sites"][1]
    assert second["state"] == state
    assert (second["since"], second["lastFailure"]) == (of_day(since), of_day(failure))


def test_in_words_the_outages_of_that_moment_follow(kept: Path) -> None:
    """A time without offset is local."""
    answer = run_program("-p", "--at", "2026-01-01 12:30", "-c", kept, environ={"TZ": "Europe/Paris"})
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert lines[0] == "== reading the local file: as configured"
    assert lines[1].startswith("== past 10 minutes until 2026-01-01T11:30:00.000Z, 2 sites")
    since = "(since 2026-01-01T11:20:00.000Z, cause status)"
    assert lines[-1] == f"Website http://second.example has been down for 10 min {since}"
    later = run_program("-p", "--at", "2026-01-01 12:50", "-c", kept, environ={"TZ": "Europe/Paris"})
    assert " has been down for " not in later.stdout


def test_a_window_of_ones_own_is_the_only_one(kept: Path) -> None:
    (found,) = printed("--window", "30m", "--at", "2026-01-01T11:45:00Z", "-c", kept)
    assert (found["window"], found["from"]) == (1800, "2026-01-01T11:15:00.000Z")
    assert_right(story()[0], [found])
    (long,) = printed("--window", "3650d", "--once", "-c", kept)
    assert [site["checks"] for site in long["sites"]] == [360, 360]
    assert_right(story()[0], [long])


def test_once_shows_a_coloured_table_in_a_terminal_without_taking_its_screen(kept: Path) -> None:
    with Terminal(120, 30, "-p", "--at", "2026-01-01T11:30:00Z", "-c", kept) as terminal:
        assert terminal.end() == 0
        assert ALTERNATE_SCREEN not in terminal.raw
        assert "2026-01-01 11:30:00 +00:00" in terminal.text
        assert re.search(r" 10m +1h ", terminal.text)
        assert re.search(r"✖ \d\d:\d\d- +10m +\S*second\.example", terminal.text)


def test_a_printer_leaves_the_stores_as_they_are(kept: Path) -> None:
    """What it reads it does not write: neither the file nor what waits to be delivered."""
    file = local_file(kept)
    before = (file.read_bytes(), undelivered(file))
    printed("--once", "-c", kept)
    assert (file.read_bytes(), undelivered(file)) == before
