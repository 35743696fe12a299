"""`-a`: the whole history of alerts, then each new one as it comes, whoever recorded it and wherever it is kept."""

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.models import Alert, AlertType, Cause, CheckResult
from monitoring.storage.base import Points
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import MINUTE_MS
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import Monitor, as_printed, local_file
from tests.support.printed import no_monitor
from tests.support.processes import Running, run_program, without_textual, write_websites
from tests.support.target import Target, now_ms
from tests.support.terminal import Terminal

pytestmark = pytest.mark.promise


PROMPT_S = 3.0
"""How soon a recorded alert is shown: the commit takes half a second, `-a` looks every second."""

BUSY_S = 12.0
"""What a machine that has other things to do may add."""

RUNNING = re.compile(r"has been down for (\S+ \S+(?: \d+ \S+)?) \(since")


def outage(host: str, start_ms: int) -> list[Alert]:
    """A site that was down for 40 s, as a monitor records it."""
    alert = Alert(AlertType.ALERT, host, start_ms + 24_000, start_ms, None, 79.5, Cause.TIMEOUT)
    return [alert, Alert(AlertType.RECOVERY, host, start_ms + 64_000, start_ms, start_ms + 40_000, 80.0, Cause.TIMEOUT)]


def history() -> list[Alert]:
    """Long ago two outages of two sites, one within the other; and one of `last` that began 65 s ago and goes on."""
    began_ms = now_ms() - 65_000
    closed = [*outage("http://first.example", 1_700_000_000_000), *outage("http://second.example", 1_700_000_010_000)]
    last = Alert(AlertType.ALERT, "http://last.example", began_ms + 30_000, began_ms, None, 79.0, Cause.DNS)
    return sorted([*closed, last], key=lambda alert: (alert.time_ms, alert.host))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_websites(tmp_path, [{"URL": "http://first.example"}])


@pytest.fixture
def kept(config: Path) -> list[Alert]:
    """The history in the local file of `config`, also of sites that are not watched any more. `last` is still measured."""
    alerts = history()
    check = CheckResult("http://last.example", now_ms() - MINUTE_MS, MINUTE_MS, 0, cause=Cause.DNS)
    with closing(LocalStore(local_file(config))) as store:
        store.append([check], alerts, 0)
    return alerts


def printed(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_once_prints_the_whole_history_in_order_and_ends(config: Path, kept: list[Alert]) -> None:
    answer = run_program("-a", "--once", "--format", "json", "-c", config)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert printed(answer.stdout) == as_printed(kept)


def test_in_words_it_ends_with_the_outages_that_go_on(config: Path, kept: list[Alert]) -> None:
    answer = run_program("-a", "--once", "-c", config)
    lines = answer.stdout.splitlines()
    assert (answer.returncode, answer.stderr) == (0, "")
    first, second, day, last = lines
    assert re.fullmatch(r"2023-11-1\d \d\d:\d\d:20  40 s +✔  http://first\.example  timeout  79\.50 %", first)
    assert re.fullmatch(r"2023-11-1\d \d\d:\d\d:30  40 s +✔  http://second\.example  timeout  79\.50 %", second)
    assert day == ""
    assert re.fullmatch(r"\S+ \S+  ongoing, 1 min \d+ s +✖  http://last\.example  dns  79\.00 %", last)


def test_each_record_is_two_lines_where_all_are_asked_for(config: Path, kept: list[Alert]) -> None:
    answer = run_program("-a", "--once", "--all", "-c", config)
    lines = answer.stdout.splitlines()
    assert (answer.returncode, answer.stderr, len(lines)) == (0, "", 2 * len(kept) + 1)
    assert lines[0] == "Website http://first.example is down. availability=79.50%, time=2023-11-14T22:13:44.000Z"
    assert "Website http://second.example recovered. availability=80.00%, down for 40 s, " in answer.stdout
    assert re.match(r"Website http://last\.example has been down for 1 min \d+ s \(since .*, cause dns\)", lines[-1])


@pytest.mark.parametrize(
    ("more", "records"), [(("--limit", "2"), 2), (("--since", "1d"), 1), (("--since", "2023-11-01"), 5)]
)
def test_less_of_the_history_is_shown_where_less_is_asked_for(
    config: Path, kept: list[Alert], more: tuple[str, ...], records: int
) -> None:
    answer = run_program("-a", "--once", "--format", "json", *more, "-c", config)
    assert printed(answer.stdout) == as_printed(kept)[-records:]
    shown = run_program("-a", "--once", *more, "-c", config).stdout
    assert "http://last.example" in shown
    assert ("http://first.example" in shown) == (records == 5)


def test_without_textual_an_outage_that_goes_on_gets_longer_on_the_terminal(config: Path, kept: list[Alert]) -> None:
    with Terminal(120, 30, "-a", "-c", config, program=without_textual) as terminal:
        terminal.until("the outage", RUNNING.search)
        first = RUNNING.findall(terminal.text)
        terminal.until("a longer outage", lambda text: RUNNING.findall(text) != first)
        assert len(RUNNING.findall(terminal.text)) == 1
        assert terminal.text.count("✔  http://first.example") == 1
        assert terminal.interrupt() == 0
        assert "Traceback" not in terminal.text


def wait_until_shown(monitor: Monitor, watcher: Running, transition: str) -> None:
    """Wait until the monitor announces it; then the watcher is not long in coming."""
    monitor.wait_for_announcement(transition)
    watcher.until(lambda running: [1 for one in running.objects("alert") if one["type"] == transition], PROMPT_S + BUSY_S)


@pytest.mark.parametrize("where", ["the local file", "InfluxDB"])
def test_a_running_monitors_alert_is_shown_at_once(where: str, influxd: Influxd, target: Target, tmp_path: Path) -> None:
    """And its recovery; in two formats at the same time."""
    database = "sqlite:" if where == "the local file" else influxd.url(f"history-{uuid.uuid4()}")
    config = write_websites(tmp_path, [{"URL": target.url("/a")}], database=database)
    target.go_down("/a")
    with (
        Monitor(config) as monitor,
        Running("-a", "--format", "json", "-c", config) as watcher,
        Running("-a", "-c", config) as reader,
    ):
        wait_until_shown(monitor, watcher, "alert")
        target.come_back("/a")
        wait_until_shown(monitor, watcher, "recovery")
        reader.until(lambda running: "✔" in running.text)
        assert watcher.objects("alert") == monitor.objects("alert")
        assert [watcher.interrupt(), reader.interrupt(), monitor.terminate()] == [0, 0, 0]


def test_before_any_monitor_ran_it_says_what_to_do(config: Path) -> None:
    answer = run_program("-a", "--once", "-c", config)
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"{no_monitor(config)}\n")
    assert not local_file(config).exists()


def test_it_waits_for_the_first_monitor(target: Target, tmp_path: Path) -> None:
    config = write_websites(tmp_path, [{"URL": target.url("/a")}])
    target.go_down("/a")
    with Running("-a", "-c", config) as watcher:
        watcher.until(lambda running: running.errors)
        with Monitor(config) as monitor:
            watcher.until(lambda running: "✖" in running.text)
            assert monitor.terminate() == 0
        assert (watcher.interrupt(), watcher.errors) == (0, [no_monitor(config)])


@pytest.fixture
def two_histories(own_influxd: Influxd, tmp_path: Path) -> Iterator[tuple[Path, LocalStore]]:
    """A configuration whose database and local file hold different outages, so that one sees which was read."""
    config = write_websites(tmp_path, [{"URL": "http://a.example"}], database=own_influxd.url("history"))
    store = store_at(address_of(own_influxd, "history"))
    with closing(store), closing(LocalStore(local_file(config))) as local:
        store.verify("test")
        store.write(Points(alerts=outage("http://influxdb.example", 1_700_000_000_000)))
        local.append([], outage("http://local.example", 1_700_000_000_000), now_ms=now_ms())
        yield config, local


def hosts_shown(config: Path) -> set[object]:
    answer = run_program("-a", "--once", "--format", "json", "-c", config)
    assert (answer.returncode, answer.stderr) == (0, "")
    return {found["URL"] for found in printed(answer.stdout)}


def deliver(local: LocalStore) -> None:
    delivery = local.next_delivery(10)
    assert delivery
    local.acknowledge(delivery)


def test_influxdb_is_read_while_it_answers(two_histories: tuple[Path, LocalStore]) -> None:
    config, local = two_histories
    deliver(local)
    assert hosts_shown(config) == {"http://influxdb.example"}


def test_the_local_file_is_read_while_influxdb_hangs(two_histories: tuple[Path, LocalStore], own_influxd: Influxd) -> None:
    config, local = two_histories
    deliver(local)
    own_influxd.pause()
    assert hosts_shown(config) == {"http://local.example"}


def test_the_local_file_is_read_while_influxdb_lacks_something(two_histories: tuple[Path, LocalStore]) -> None:
    """It answers, but what the monitor recorded ten seconds ago has not come there."""
    config, local = two_histories
    deliver(local)
    local.append([], outage("http://local.example", 1_700_001_000_000), now_ms=now_ms() - 10_000)
    assert hosts_shown(config) == {"http://local.example"}
