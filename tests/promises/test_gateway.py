"""A monitor, a gateway, an InfluxDB and two readers, each a process of its own: whatever happens, nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from monitoring.config.tokens import Tokens
from monitoring.errors import StoreDenied
from tests.support.delivered import DELIVERED_S, assert_outage_is_announced_in_time, assert_same_contents
from tests.support.gateway import HOST, READ_TOKEN, TOKENS, WRITE_TOKEN, Gateway
from tests.support.influxd import Influxd
from tests.support.monitor import (
    Monitor,
    as_printed,
    local_file,
    stored_alerts,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.processes import Running
from tests.support.target import Target, assert_holds_all_asked

pytestmark = pytest.mark.promise

SITES = ("/one", "/two", "/three")
OTHER_TOKENS = Tokens("other-0123456789abcdef", "another-0123456789abcdef")


@dataclass
class Five:
    """The five processes; `gateway` is the one that runs now."""

    influxd: Influxd
    target: Target
    config: Path
    gateway_config: Path
    gateway: Gateway
    stack: ExitStack

    def start_gateway(self, tokens: Tokens = TOKENS) -> None:
        """Another one in its place."""
        self.gateway = self.stack.enter_context(Gateway(self.gateway_config, tokens=tokens, port=self.gateway.port))
        self.gateway.wait_until_it_serves()

    def wait_for_more_checks(self) -> None:
        wait_for_checks(local_file(self.config), more_than=len(stored_checks(local_file(self.config))) + 10)

    def wait_until_delivered(self) -> None:
        wait_for_checks(local_file(self.config))
        wait_for(lambda: undelivered(local_file(self.config)) == 0, "everything is delivered", DELIVERED_S)


@pytest.fixture
def five(tmp_path: Path, target: Target, own_influxd: Influxd) -> Iterator[Five]:
    urls = [target.url(path) for path in SITES]
    folders = [tmp_path / name for name in ("monitor", "gateway", "reader")]
    for folder in folders:
        folder.mkdir()
    at_gateway = write_config(folders[1], urls, database=own_influxd.url("monitoring"))
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway(at_gateway))
        gateway.wait_until_it_serves()
        config = write_config(folders[0], urls, database=gateway.url)
        yield Five(own_influxd, target, config, at_gateway, gateway, stack)


@contextmanager
def monitor(five: Five, token: str = WRITE_TOKEN) -> Iterator[Monitor]:
    with Monitor(five.config, environ={"MONITORING_TOKEN": token}) as running:
        yield running


@contextmanager
def reader(five: Five, folder: Path, token: str = READ_TOKEN) -> Iterator[Running]:
    """A process that follows the alerts, on a machine that has nothing but the gateway's address."""
    config = write_config(folder / "reader", [five.target.url("/one")], database=five.gateway.url)
    arguments = ("-a", "-c", config, "--format", "json")
    with Running(*arguments, environ={"MONITORING_TOKEN": token}) as running:
        yield running


def end_monitor(five: Five, monitoring: Monitor) -> None:
    """SIGTERM. What a busy machine does not deliver in the second that an end takes, the next start delivers."""
    assert monitoring.terminate() == 0
    if undelivered(local_file(five.config)):
        with monitor(five) as again:
            five.wait_until_delivered()
            end_monitor(five, again)


def kill_gateway(five: Five) -> None:
    five.gateway.kill()


def kill_database(five: Five) -> None:
    five.influxd.kill()


def change_tokens(five: Five) -> None:
    assert five.gateway.terminate() == 0
    five.start_gateway(OTHER_TOKENS)


def change_tokens_back(five: Five) -> None:
    assert five.gateway.terminate() == 0
    five.start_gateway()


TROUBLES: dict[str, tuple[Callable[[Five], None], Callable[[Five], None]]] = {
    "the gateway is killed": (kill_gateway, Five.start_gateway),
    "the database is killed": (kill_database, lambda five: five.influxd.start()),
    "the database hangs": (lambda five: five.influxd.pause(), lambda five: five.influxd.resume()),
    "the tokens are wrong": (change_tokens, change_tokens_back),
}


@pytest.mark.parametrize(("begin", "end"), TROUBLES.values(), ids=TROUBLES.keys())
def test_through_any_trouble_every_check_arrives_once_and_readers_see_every_alert_once(
    five: Five, tmp_path: Path, begin: Callable[[Five], None], end: Callable[[Five], None]
) -> None:
    with monitor(five) as monitoring, reader(five, tmp_path) as first, reader(five, tmp_path) as second:
        five.wait_until_delivered()
        begin(five)
        assert_outage_is_announced_in_time(monitoring, five.target)
        five.wait_for_more_checks()
        assert undelivered(local_file(five.config)) > 0
        end(five)
        five.wait_until_delivered()
        for watcher in (first, second):
            wait_for(lambda watcher=watcher: watcher.announced("recovery"), "a reader's recovery", DELIVERED_S)
            assert watcher.terminate() == 0
            assert watcher.objects("alert") == as_printed(stored_alerts(local_file(five.config)))
        end_monitor(five, monitoring)
    assert_same_contents(five.config, five.influxd)
    assert_holds_all_asked(stored_checks(local_file(five.config)), five.target, runs=2)
    assert five.gateway.terminate() == 0


def test_the_gateway_killed_again_and_again_loses_and_doubles_nothing(five: Five) -> None:
    with monitor(five) as monitoring:
        for _ in range(4):
            five.wait_until_delivered()
            five.wait_for_more_checks()
            five.gateway.kill()
            five.wait_for_more_checks()
            five.start_gateway()
        five.wait_until_delivered()
        end_monitor(five, monitoring)
    assert_same_contents(five.config, five.influxd)


def test_bad_requests_harm_nobody(five: Five) -> None:
    """While a monitor delivers: wrong tokens, long bodies, odd values, noise. Each gets its status, nothing is stored."""
    url = f"http://{HOST}:{five.gateway.port}/api/v1/results"
    writer = {"Authorization": f"Bearer {WRITE_TOKEN}", "Content-Type": "application/json"}
    attempts = {
        401: {"json": {}},
        403: {"json": {}, "headers": {"Authorization": f"Bearer {READ_TOKEN}"}},
        415: {"data": "x=1", "headers": {"Authorization": f"Bearer {WRITE_TOKEN}"}},
        400: {"data": "{" * 9_999, "headers": writer},
        422: {"data": '{"checks": [{"host": "x"}]}', "headers": writer},
    }
    with monitor(five) as monitoring, requests.Session() as session:
        session.trust_env = False
        five.wait_until_delivered()
        for _ in range(20):
            for status, attempt in attempts.items():
                assert session.post(url, timeout=60, **attempt).status_code == status  # type: ignore[arg-type]
        five.wait_for_more_checks()
        five.wait_until_delivered()
        assert monitoring.terminate() == 0
    store = five.gateway.store("wrong-0123456789abcdef")
    with pytest.raises(StoreDenied):
        store.last_alerts()
    store.close()
    known = {urlsplit(check.host).path for check in stored_checks(local_file(five.config))}
    assert known == set(SITES)
    assert [line for line in five.gateway.errors if "refused " not in line] == []  # a burst of refusals is told
