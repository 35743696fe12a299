"""Through a gateway people see what they would see at the database: `-p` and `-a` elsewhere, and a monitor's own numbers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitoring.config.parsing.durations import moment_ms
from monitoring.config.tokens import Tokens
from monitoring.models import CheckResult
from monitoring.storage.base import FRESH_MS, Points
from tests.support.gateway import READ_TOKEN, TOKENS, WRITE_TOKEN, Gateway
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import (
    Monitor,
    as_printed,
    local_file,
    stored_alerts,
    stored_checks,
    undelivered,
    wait_for,
)
from tests.support.printed import assert_right, no_monitor, numbers, of_day, reference, same, story, windows
from tests.support.processes import Running, run_program, write_websites
from tests.support.target import Target

pytestmark = pytest.mark.promise

BOTH = "both-0123456789abcdef"
"""A token that may read and write."""

BACK_S = 120.0
"""How long a printer or a monitor leaves a gateway alone that did not answer, and then some."""


@dataclass
class Scene:
    """A gateway to an InfluxDB, and the folders of the machines around it."""

    influxd: Influxd
    folder: Path
    at_gateway: Path
    gateway: Gateway
    stack: ExitStack

    def restart(self) -> None:
        self.start(self.gateway.port)

    def start(self, port: int, tokens: Tokens = TOKENS) -> None:
        self.gateway = self.stack.enter_context(Gateway(self.at_gateway, tokens=tokens, port=port))
        self.gateway.wait_until_it_serves()

    def config(self, machine: str, websites: list[dict[str, object]], **settings: object) -> Path:
        folder = self.folder / machine
        folder.mkdir(exist_ok=True)
        return write_websites(folder, websites, database=self.gateway.url, **settings)


@contextmanager
def scene_with(tokens: Tokens, influxd: Influxd, folder: Path) -> Iterator[Scene]:
    (folder / "gateway").mkdir()
    at_gateway = write_websites(
        folder / "gateway",
        [{"URL": "http://nobody.example"}],
        database=influxd.url("monitoring"),
        retention={"checks": "3650d", "alerts": "3650d"},
    )
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway(at_gateway, tokens=tokens))
        gateway.wait_until_it_serves()
        yield Scene(influxd, folder, at_gateway, gateway, stack)


@pytest.fixture
def scene(own_influxd: Influxd, tmp_path: Path) -> Iterator[Scene]:
    with scene_with(TOKENS, own_influxd, tmp_path) as found:
        yield found


def reads(*arguments: str | Path, token: str = READ_TOKEN) -> Running:
    return Running(*arguments, "--format", "json", environ={"MONITORING_TOKEN": token})


@contextmanager
def after(*programs: Running, says: str) -> Iterator[None]:
    """What follows in a `with` begins when all of these have said this."""
    for program in programs:
        program.until(lambda running: says in running.errors)
    yield


def printed(*arguments: str | Path, token: str = READ_TOKEN) -> list[dict[str, Any]]:
    """The JSON that the program prints with these arguments; it ends by itself."""
    answer = run_program(*arguments, "--format", "json", environ={"MONITORING_TOKEN": token})
    assert (answer.returncode, answer.stderr) == (0, "")
    return [json.loads(line) for line in answer.stdout.splitlines()]


# A history, read on a machine that has nothing but the gateway's address

FIRST, SECOND = {"URL": "http://first.example", "name": "first"}, {"URL": "http://second.example"}


@pytest.fixture
def reader(scene: Scene) -> Path:
    """A configuration whose database holds the story of `test_print` and is behind a gateway."""
    at = scene.influxd
    with closing(store_at(address_of(at, "monitoring"))) as store:
        store.verify("test")
        store.write(Points(*story()))
    return scene.config("reader", [FIRST, SECOND], defaultCheckInterval=10)


def sites_of(found: Mapping[str, Any]) -> list[tuple[str, str, str | None, str | None]]:
    return [(site["name"] or "", site["state"], site["since"], site["lastFailure"]) for site in found["sites"]]


def test_the_screen_of_a_moment_and_a_window_of_ones_own(reader: Path) -> None:
    found = printed("-p", "--at", "2026-01-01T11:30:00Z", "-c", reader)
    assert [(window["window"], window["source"]) for window in found] == [(600, "gateway"), (3600, "gateway")]
    assert_right(story()[0], found)
    assert sites_of(found[1])[1] == ("", "down", of_day("11:20:00"), of_day("11:29:50"))
    assert sites_of(found[1])[0] == ("first", "up", of_day("11:00:00"), None)
    later = printed("-p", "--at", "2026-01-01T11:59:59Z", "--window", "1m", "-c", reader)
    assert sites_of(later[0])[1] == ("", "up", of_day("11:40:00"), of_day("11:39:50"))
    (long,) = printed("-p", "--once", "--window", "3650d", "-c", reader)
    assert (long["source"], [site["checks"] for site in long["sites"]]) == ("gateway", [360, 360])
    assert_right(story()[0], [long])
    assert not local_file(reader).exists()


def test_the_history_once(reader: Path) -> None:
    assert printed("-a", "--once", "-c", reader) == [{**alert, "name": None} for alert in as_printed(story()[1])]
    assert not local_file(reader).exists()


@pytest.mark.parametrize("mode", ["-p", "-a"])
@pytest.mark.parametrize(("token", "words"), [(WRITE_TOKEN, "not for reading"), ("unknown-0123456789abc", "not known here")])
def test_a_token_that_may_not_read_is_one_clear_line(reader: Path, mode: str, token: str, words: str) -> None:
    answer = run_program(mode, "--once", "-c", reader, environ={"MONITORING_TOKEN": token})
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)
    assert words in answer.stderr
    assert token not in answer.stderr


# A monitor, and those who watch it from elsewhere


def test_printers_and_watchers_elsewhere_follow_a_monitor_through_the_gateways_death(scene: Scene, target: Target) -> None:
    """They wait for its first start, say once that the gateway is away, and lose no alert of that time."""
    websites: list[dict[str, object]] = [{"URL": target.url("/a"), "name": "first"}, {"URL": target.url("/b")}]
    config, elsewhere = (scene.config(machine, websites) for machine in ("monitor", "reader"))
    with (
        reads("-p", "-c", elsewhere) as printer,
        reads("-p", "--window", "5m", "-c", elsewhere) as other,
        reads("-a", "-c", elsewhere) as watcher,
        after(printer, other, watcher, says=no_monitor(elsewhere)),
        Monitor(config, environ={"MONITORING_TOKEN": WRITE_TOKEN}) as monitor,
    ):
        for program in (printer, other):
            program.until(lambda running: len(windows(running)) >= 2)
        scene.gateway.kill()
        target.go_down("/b")
        monitor.wait_for_announcement("alert")
        for program in (printer, other, watcher):
            program.until(lambda running: len(running.errors) >= 2)
        scene.restart()
        for program in (printer, other, watcher):
            program.until(lambda running: running.announced("alert"), BACK_S)
        for program in (printer, other):
            program.until(lambda running: windows(running)[-1]["sites"][1]["state"] == "down", BACK_S)
        target.come_back("/b")
        for program in (printer, other, watcher):
            program.until(lambda running: running.announced("recovery"))
        printer.until(lambda running: windows(running)[-1]["sites"][1]["state"] == "up")
        assert [program.interrupt() for program in (printer, other, watcher)] == [0, 0, 0]
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery")
        assert monitor.terminate() == 0
    alerts = monitor.objects("alert")
    assert [program.objects("alert") for program in (printer, other, watcher)] == [alerts, alerts, alerts]
    for program in (printer, other, watcher):
        first, *silent = program.errors
        assert first == no_monitor(elsewhere)
        # A question that was under way when the gateway was killed may end by its deadline.
        silence = f"gateway at 127.0.0.1:{scene.gateway.port} does not answer"
        assert set(silent) <= {silence, f"{silence} in time"}
        assert len(silent) == len(set(silent)) > 0
    shown = [*windows(printer), *windows(other)]
    assert {found["source"] for found in shown} == {"gateway"}
    assert_right_so_far(stored_checks(local_file(config)), shown, late_ms=BACK_S * 1_000)
    assert windows(printer)[-1]["sites"][1]["since"] == alerts[-1]["endDate"]
    assert not local_file(elsewhere).exists()


def test_a_monitor_reads_its_numbers_and_judges_through_the_gateway_and_they_are_the_same(
    own_influxd: Influxd, target: Target, tmp_path: Path
) -> None:
    """While the gateway is away the local file answers; both give the numbers of the stored checks."""
    with scene_with(Tokens(BOTH, BOTH), own_influxd, tmp_path) as scene:
        config = scene.config("monitor", [{"URL": target.url("/a")}, {"URL": target.url("/b")}])
        with Monitor(config, environ={"MONITORING_TOKEN": BOTH}) as monitor:
            wait_for(lambda: sources(monitor)[-1:] == ["gateway"], "statistics from the gateway")
            target.go_down("/b")
            monitor.wait_for_announcement("alert")
            target.come_back("/b")
            monitor.wait_for_announcement("recovery")
            scene.gateway.kill()
            wait_for(lambda: sources(monitor)[-1:] == ["local"], "statistics from the local file")
            scene.start(scene.gateway.port, Tokens(BOTH, BOTH))
            wait_for(lambda: sources(monitor)[-1:] == ["gateway"], "the gateway is read again", BACK_S)
            assert monitor.terminate() == 0
        assert_right_so_far(stored_checks(local_file(config)), windows(monitor), late_ms=FRESH_MS)
        assert monitor.objects("alert") == as_printed(stored_alerts(local_file(config)))
        with Running("-m", "-c", config, environ={"MONITORING_TOKEN": BOTH}) as again:
            again.until(
                lambda running: (
                    f"reading the gateway: gateway at 127.0.0.1:{scene.gateway.port} has received" in running.text
                )
            )
            again.until(lambda running: ", from gateway" in running.text)
            assert again.terminate() == 0


def assert_right_so_far(checks: list[CheckResult], shown: list[dict[str, Any]], late_ms: float) -> None:
    """The numbers of each site are those of its checks up to one that may have been the last to have arrived."""
    for window in shown:
        until_ms = moment_ms(window["until"])
        for site in window["sites"]:
            own = [check for check in checks if check.host == site["URL"] and check.time_ms < until_ms]
            surely, alone = sum(check.time_ms < until_ms - late_ms for check in own), {**window, "sites": [site]}
            ends = range(surely, len(own) + 1)
            assert any(same([numbers(site)], reference(own[:end], alone)) for end in ends), window


def sources(program: Monitor) -> list[str]:
    return [found["source"] for found in windows(program)]
