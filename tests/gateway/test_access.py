"""Who may do what at a gateway, and how often."""

from dataclasses import replace

import pytest
from werkzeug.test import Client

from monitoring.config.tokens import Tokens
from monitoring.gateway.limits import Limits, RateLimiter
from tests.support.clock import FakeClock
from tests.support.gateway import READ_TOKEN, TOKENS, WRITE_TOKEN
from tests.support.gateway_application import ALWAYS, CHECK, PAST, READER, WRITER, Database, client_of, reason, send
from tests.support.results import START_MS

FORMER = ("results", "minutes", "minutes/announcements", "minutes/seals", "rollups", "proof")
QUESTIONS = [
    *(f"/api/v2/store/{name}?{PAST}" for name in ("stats", "results", "alerts", "missing")),
    *(f"/api/v2/store/{name}" for name in ("alerts/latest", "last-time", "known", "locations")),
    *("/api/v2/stats", "/api/v2/alerts", "/metrics"),
    f"/api/v2/store/states?before={ALWAYS.until_ms}",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_nobody_reads_without_the_token_for_reading(client: Client, question: str) -> None:
    assert client.get(question).status_code == 401
    assert client.get(question).headers["WWW-Authenticate"] == "Bearer"
    assert client.get(question, headers={"Authorization": "Bearer wrong-0123456789"}).status_code == 401
    assert client.get(question, headers={"Authorization": f"Basic {READ_TOKEN}"}).status_code == 401
    assert client.get(question, headers={"Authorization": "Bearer ünïcode"}).status_code == 401
    refused = client.get(question, headers=WRITER)
    assert (refused.status_code, reason(refused)) == (403, "this token is not for reading (MONITORING_READ_TOKEN is)")
    assert client.get(question, headers=READER).status_code == 200


@pytest.mark.parametrize(
    "path", [*(f"v2/store/{path}" for path in ("points", "verify", "record")), *(f"v1/{path}" for path in FORMER)]
)
def test_nobody_writes_without_the_token_for_writing(client: Client, database: Database, path: str) -> None:
    assert client.post(f"/api/{path}", json={"checks": [CHECK]}).status_code == 401
    refused = client.post(f"/api/{path}", json={"checks": [CHECK]}, headers=READER)
    assert (refused.status_code, reason(refused)) == (403, "this token is not for writing (MONITORING_WRITE_TOKEN is)")
    assert not database.writes


def test_a_token_that_is_not_set_opens_nothing(database: Database) -> None:
    """A gateway with a token for writing alone takes, and tells nobody."""
    client = client_of(database, Tokens(write=WRITE_TOKEN))
    assert send(client, CHECK).status_code == 200
    assert client.get("/api/v2/store/known").status_code == 401
    assert client.get("/api/v2/store/known", headers=WRITER).status_code == 403
    assert client.get("/api/v2/store/known", headers={"Authorization": "Bearer "}).status_code == 401


def test_one_token_may_be_for_both(database: Database) -> None:
    client = client_of(database, Tokens(WRITE_TOKEN, WRITE_TOKEN))
    assert send(client, CHECK).status_code == 200
    assert client.get("/api/v2/store/known", headers=WRITER).status_code == 200


def test_without_tokens_everybody_may_do_everything(database: Database) -> None:
    client = client_of(database, Tokens())
    assert client.post("/api/v2/store/points", json={"checks": [CHECK]}).status_code == 200
    assert client.get("/api/v2/store/last-time").json == {"timeMs": START_MS}


def test_no_token_is_ever_shown(client: Client) -> None:
    assert WRITE_TOKEN not in repr(TOKENS)
    for path in ("/healthz", "/api/v2/openapi.json", "/api/v2/stats", "/nothing"):
        assert WRITE_TOKEN.encode() not in client.get(path, headers=READER).data


def test_an_address_that_asks_too_often_has_to_wait_and_others_do_not(database: Database) -> None:
    client = client_of(database, limits=Limits(burst=3, requests_per_s=1))
    statuses = [client.get("/healthz").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert client.get("/healthz").headers["Retry-After"] == "1"
    assert client.get("/healthz", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


def test_a_bucket_fills_up_again_and_never_runs_over() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Limits(burst=2, requests_per_s=4), clock)
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 0.25]
    clock.advance(0.25)
    assert [limiter.take("a") for _ in range(2)] == [0, 0.25]
    clock.advance(3_600)
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 0.25]


def test_only_so_many_addresses_are_remembered() -> None:
    limiter = RateLimiter(replace(Limits(), burst=1, addresses=2), FakeClock())
    assert [limiter.take(address) for address in ("a", "b", "c")] == [0, 0, 0]
    assert limiter.take("c") > 0
    assert limiter.take("a") == 0
