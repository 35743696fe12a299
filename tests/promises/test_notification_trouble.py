"""A real monitor whose channel is in trouble, or whose sites are: exactly the messages that should go out, once each."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitoring.models import Window
from monitoring.notifications.channels.child import PATIENCE_S
from monitoring.storage.notifications import Entry
from tests.support.influxd import free_port
from tests.support.local_files import fill_disk, free_disk
from tests.support.monitor import Monitor, local_file, reading, stored_checks, wait_for, wait_for_checks, write_config
from tests.support.receivers import WebHook
from tests.support.target import Target

pytestmark = pytest.mark.promise

LATE_S = 180.0
"""How long after a minute without a channel it may take until it is tried again, and the time that this takes."""


def entries(config: Path) -> list[Entry]:
    with reading(local_file(config)) as reader:
        return list(reader.deliveries(Window(0, 1 << 60)))


def states(config: Path) -> list[tuple[str, str]]:
    return [(str(entry.event), str(entry.state)) for entry in entries(config)]


def config_for(folder: Path, target: Target, port: int, *paths: str) -> Path:
    websites = [{"URL": target.url(path), "name": path.strip("/")} for path in paths]
    return write_config(folder, [], websites=websites, notifications=[{"name": "ops", "url": f"json://127.0.0.1:{port}/"}])


def test_a_channel_that_is_away_for_a_minute_tells_it_once_and_says_that_it_is_late(tmp_path: Path, target: Target) -> None:
    port = free_port()
    config = config_for(tmp_path, target, port, "/one", "/two")
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config))
        target.go_down("/one")
        wait_for(lambda: states(config), "the alert")
        since_s = time.monotonic()
        away_s = 60 + PATIENCE_S  # whatever was begun within the minute has ended
        wait_for(lambda: time.monotonic() - since_s > away_s, "a minute and more", 120)
        assert states(config) == [("alert", "pending")]
        assert [line for line in monitor.errors if "notifications by ops cannot be sent" in line]
        with WebHook(port) as hook:
            wait_for(lambda: states(config) == [("alert", "late")], "it is told", LATE_S)
            wait_for(lambda: "notifications by ops are sent again" in monitor.errors, "it is said that this is over")
            assert monitor.terminate() == 0
            assert hook.titles == ["DOWN: one"]
            assert "This message is late by " in hook.received[0]["message"]


def test_what_is_refused_for_good_is_said_and_what_comes_later_goes_out(tmp_path: Path, target: Target) -> None:
    with WebHook() as hook:
        hook.status = 404
        config = config_for(tmp_path, target, hook.port, "/one", "/two")
        with Monitor(config, "--silent") as monitor:
            wait_for_checks(local_file(config))
            target.go_down("/one")
            wait_for(lambda: states(config) == [("alert", "failed")], "it is refused")
            wait_for(lambda: [line for line in monitor.errors if "could not be sent by ops" in line], "it is said")
            hook.status = 200
            target.go_down("/two")
            wait_for(lambda: hook.titles, "the next one is told")
            assert monitor.terminate() == 0
        assert hook.titles == ["DOWN: two"]
        assert states(config) == [("alert", "failed"), ("alert", "sent")]


def test_a_restart_in_an_outage_tells_its_begin_once_and_its_end_once(tmp_path: Path, target: Target) -> None:
    with WebHook() as hook:
        config = config_for(tmp_path, target, hook.port, "/one", "/two")
        with Monitor(config) as monitor:
            wait_for_checks(local_file(config))
            target.go_down("/one")
            wait_for(lambda: states(config) == [("alert", "sent")], "it is told")
            assert monitor.terminate() == 0
        for ending in (Monitor.terminate, Monitor.kill):
            with Monitor(config) as monitor:
                wait_for_checks(local_file(config), len(stored_checks(local_file(config))) + 30)
                ending(monitor)
        with Monitor(config) as monitor:
            target.come_back("/one")
            wait_for(lambda: states(config) == [("alert", "sent"), ("recovery", "sent")], "its end is told")
            assert monitor.terminate() == 0
        assert hook.titles == ["DOWN: one", "UP: one"]


def test_while_the_disk_is_full_people_are_told_once_each(tmp_path: Path, target: Target) -> None:
    with WebHook() as hook:
        config = config_for(tmp_path, target, hook.port, "/one", "/two")
        with Monitor(config, "--silent") as monitor:
            wait_for_checks(local_file(config))
            fill_disk(monitor, local_file(config))
            wait_for(lambda: monitor.errors, "words about the full disk")
            target.go_down("/one")
            wait_for(lambda: hook.titles == ["DOWN: one"], "it is told")
            target.come_back("/one")
            wait_for(lambda: hook.titles == ["DOWN: one", "UP: one"], "its end is told")
            free_disk(monitor)
            wait_for(lambda: states(config) == [("alert", "sent"), ("recovery", "sent")], "it is recorded")
            assert monitor.terminate() == 0
        assert hook.titles == ["DOWN: one", "UP: one"]


def test_when_the_own_network_is_gone_one_message_says_so_when_it_is_back(tmp_path: Path) -> None:
    port, ports = free_port(), [free_port() for _ in range(6)]
    urls = [f"http://127.0.0.1:{free}/" for free in ports]  # refused, as is the web hook
    config = write_config(tmp_path, urls, notifications=[f"json://127.0.0.1:{port}/"])
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config))
        wait_for(lambda: len(states(config)) == len(urls), "all sites are down")
        wait_for(lambda: any(entry.reason for entry in entries(config)), "nobody can be told")
        with WebHook(port) as hook:
            wait_for(lambda: {state for _, state in states(config)} <= {"sent", "late"}, "it is told")
            assert monitor.terminate() == 0
            assert hook.titles == ["DOWN: 6 of 6 sites, probably on this side"]
            assert "the trouble is probably on the monitor's side" in hook.received[0]["message"]


class Page(BaseHTTPRequestHandler):
    """A site that is there."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None: ...


def test_when_the_sites_are_back_with_the_own_network_one_message_says_what_it_was(tmp_path: Path) -> None:
    port, of_sites = free_port(), free_port()
    urls = [f"http://127.0.0.1:{of_sites}/{number}" for number in range(6)]
    config = write_config(tmp_path, urls, notifications=[f"json://127.0.0.1:{port}/"])
    with Monitor(config) as monitor:
        wait_for(lambda: len(monitor.announced("alert")) == len(urls), "all sites are down")
        with ThreadingHTTPServer(("127.0.0.1", of_sites), Page) as server:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            wait_for(lambda: len(states(config)) == 2 * len(urls), "all sites are up")
            wait_for(lambda: all(entry.reason for entry in entries(config)), "that, too, nobody can be told")
            with WebHook(port) as hook:
                wait_for(lambda: {state for _, state in states(config)} <= {"sent", "late"}, "it is told")
                assert monitor.terminate() == 0
                assert hook.titles == ["UP: 6 of 6 sites"]
                assert "the trouble was probably on the monitor's side" in hook.received[0]["message"]
            server.shutdown()
    assert len(states(config)) == 2 * len(urls)


def test_a_site_that_flaps_is_told_as_such_and_not_at_every_turn(tmp_path: Path, target: Target) -> None:
    with WebHook() as hook:
        config = config_for(tmp_path, target, hook.port, "/one", "/two")
        with Monitor(config) as monitor:
            wait_for_checks(local_file(config))
            for turn in range(1, 6):
                target.go_down("/one")
                wait_for(lambda turn=turn: len(monitor.announced("alert")) == turn, "it is down")  # type: ignore[misc]
                if turn <= 3:
                    wait_for(lambda turn=turn: len(hook.titles) == 2 * turn - 1, "it is told")  # type: ignore[misc]
                target.come_back("/one")
                wait_for(lambda turn=turn: len(monitor.announced("recovery")) == turn, "it is up")  # type: ignore[misc]
                if turn < 3:
                    wait_for(lambda turn=turn: len(hook.titles) == 2 * turn, "its end is told")  # type: ignore[misc]
            assert monitor.terminate() == 0
        assert hook.titles == ["DOWN: one", "UP: one", "DOWN: one", "UP: one", "DOWN: one"]
        assert "3rd outage in 30 min" in hook.received[4]["message"]
        assert [state for _, state in states(config)] == ["sent"] * 5 + ["pending"] * 5
