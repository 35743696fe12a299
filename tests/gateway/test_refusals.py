"""What a gateway refuses is counted and told; who may do what is said at the start; `/` says where to go."""

import socket
from pathlib import Path

import pytest
from werkzeug.test import Client

from monitoring.config.tokens import Tokens
from monitoring.gateway.refusals import QUIET_MS, Refusals
from monitoring.service.health import REPORT_AFTER_MS
from tests.support.gateway import HOST, NO_TOKENS, TOKENS, Gateway
from tests.support.gateway_application import READER
from tests.support.monitor import wait_for, write_config


def ask(port: int, request: bytes) -> None:
    with socket.create_connection((HOST, port), 30) as sock:
        sock.sendall(request)
        while sock.recv(65_536):
            pass


def test_a_burst_is_told_once_soon_and_its_rest_when_it_is_over() -> None:
    refusals, ms = Refusals(), 1_000_000
    for status in (401, 401, 429, 404, 200, 503):
        refusals.note(status, "10.0.0.5")
    assert refusals.news(0) is None
    said = "refused 3 requests: 2 with 401 (no token, or an unknown one), 1 with 429 (too many requests)"
    assert refusals.news(REPORT_AFTER_MS * ms) == f"{said}; the last one came from 10.0.0.5"
    refusals.note(413, "10.0.0.6")
    assert refusals.news((REPORT_AFTER_MS + 1_000) * ms) is None
    rest = "refused 1 request: 1 with 413 (too long); the last one came from 10.0.0.6"
    assert refusals.news((REPORT_AFTER_MS + 1_000 + QUIET_MS) * ms) == rest
    assert refusals.news((REPORT_AFTER_MS + 9_000 + QUIET_MS) * ms) is None


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (NO_TOKENS, "everybody on this machine may read and write: no token is set"),
        (TOKENS, "may read: whoever has MONITORING_READ_TOKEN; may write: whoever has MONITORING_WRITE_TOKEN"),
        (
            Tokens(TOKENS.write, None),
            "may read: nobody, for MONITORING_READ_TOKEN is not set; may write: whoever has MONITORING_WRITE_TOKEN",
        ),
    ],
)
def test_who_may_read_and_write_is_said_at_the_start(tmp_path: Path, tokens: Tokens, said: str) -> None:
    with Gateway(write_config(tmp_path, ["http://127.0.0.1:1"]), tokens=tokens) as gateway:
        gateway.until(lambda it: len(it.printed) == 2)
        assert gateway.printed[1] == said
        assert gateway.terminate() == 0
    assert gateway.errors == []


def test_a_running_gateway_tells_of_both_kinds_of_refusals(tmp_path: Path) -> None:
    """Those of the application, and those of requests that never come so far."""
    with Gateway(write_config(tmp_path, ["http://127.0.0.1:1"])) as gateway:
        gateway.wait_until_it_serves()
        ask(gateway.port, b"GET /api/v2/stats?window=600 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        ask(gateway.port, b"POST /api/v2/store/points HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        wait_for(lambda: gateway.errors, "the line")
        assert gateway.terminate() == 0
    (line,) = gateway.errors
    assert line.startswith("refused 2 requests: 1 with 401 (no token, or an unknown one), 1 with 413 (too long); the last")


def test_the_entrance_says_where_to_go_in_the_words_that_are_liked(client: Client) -> None:
    found = client.get("/").json
    assert found["name"] == "website monitor: gateway"
    for place in found["places"]:
        assert client.get(place, headers=READER).status_code == 200, place
        assert (client.get(place).status_code == 401) == ("token" in found["places"][place])
    assert '<a href="/healthz">' in client.get("/", headers={"Accept": "text/html,*/*;q=0.8"}).text
    assert "  /healthz  does the database answer?" in client.get("/", headers={"Accept": "text/plain"}).text
