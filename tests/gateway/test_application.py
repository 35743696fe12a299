"""What a gateway answers to questions, and when its database is away."""

import pytest
from werkzeug.test import Client

from monitoring.clock import SystemClock
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable
from monitoring.gateway.limits import Limits
from tests.support.gateway_application import ALERT, CHECK, PAST, READER, WRITER, Database, client_of, reason, send
from tests.support.results import START_MS

BOTH = "from and until must be given, or window"


@pytest.mark.parametrize(("query", "words"), [
    ("", BOTH),
    ("from=1", BOTH),
    ("from=1&until=2&until=3", "'until' must be given once"),
    ("from=a&until=b", "from: expected int, got str"),
    ("from=-1&until=5", "from: expected int >= 0"),
    ("from=2&until=1", "from must not be after until"),
    ("from=1&until=2&sql=1", "object contains unknown field sql"),
    ("from=1&until=99999999999999", "until: expected int <= 7258118400000"),
    ("from=1&until=" + "9" * 5_000, "until: expected int, got str"),
    ("from=1'&until=2", "from: expected int, got str"),
    ("window=0", "window: expected int >= 1"),
    ("window=600&from=1", "either window, or from and until"),
    ("window=1e3", "window: expected int, got str"),
    ("window=", "window: expected int, got str"),
    ("window=%D9%A3", "window: expected int, got str"),
    ("window=60&exact=1", "exact: expected str, got int"),
    ("window=60&exact=True", "exact: invalid enum value 'True'"),
    ("window=60&location=", "location: expected str of length >= 1"),
    ("window=60&location=%ff", "the query must be UTF-8, in percent-encoding"),
    ("window=60&location=%ed%a0%80", "the query must be UTF-8, in percent-encoding"),
])  # fmt: skip
def test_an_odd_question_is_refused_in_words(client: Client, query: str, words: str) -> None:
    response = client.get(f"/api/v2/store/stats?{query}", headers=READER)
    assert (response.status_code, reason(response)) == (422, words)


def test_a_location_may_look_like_a_number(client: Client) -> None:
    sent = client.post("/api/v2/store/points", json={"checks": [CHECK], "location": "75001"}, headers=WRITER)
    assert sent.json == {"stored": 1}
    assert client.get("/api/v2/store/last-time?location=75001", headers=READER).json == {"timeMs": START_MS}


def test_statements_in_a_name_are_names(client: Client) -> None:
    odd = "'; DROP DATABASE monitoring; --"
    send(client, {**CHECK, "host": odd, "cause": "dns"})
    found = client.get(f"/api/v2/store/results?{PAST}", headers=READER)
    assert [check["host"] for check in found.json["checks"]] == [odd]


def test_a_history_too_long_for_one_answer_is_asked_for_in_parts(database: Database) -> None:
    client = client_of(database, limits=Limits(answer_checks=2))
    send(client, *({**CHECK, "timeMs": START_MS + at} for at in range(3)))
    refused = client.get(f"/api/v2/store/results?{PAST}", headers=READER)
    assert (refused.status_code, reason(refused)) == (413, "these are more than 2 checks: ask for a shorter window")


def test_only_so_many_response_times_are_put_in_order_at_once(database: Database) -> None:
    client = client_of(database, limits=Limits(exact_checks=2))
    send(client, *({**CHECK, "timeMs": START_MS + at} for at in range(3)))
    refused = client.get(f"/api/v2/store/stats?{PAST}&exact=true", headers=READER)
    assert (refused.status_code, reason(refused)) == (413, "these are more than 2 checks: ask for a shorter window")
    assert client.get(f"/api/v2/store/stats?{PAST}&exact=false", headers=READER).json["sites"][0]["checks"] == 3
    day = f"from={START_MS}&until={START_MS + 86_400_000}"
    assert client.get(f"/api/v2/store/stats?{day}&exact=true", headers=READER).json["sites"][0]["checks"] == 3


@pytest.mark.parametrize(
    "path", ["/index.html", "/api/v2", "/api/v3/stats", "/api/v2/../../etc/passwd", "/query?q=SHOW+DATABASES"]
)
def test_there_is_nothing_else(client: Client, path: str) -> None:
    assert client.get(path, headers=READER).status_code == 404


def test_another_method_is_not_allowed(client: Client) -> None:
    response = client.delete("/api/v2/store/points", headers=WRITER)
    assert response.status_code == 405
    assert set(response.headers["Allow"].replace(" ", "").split(",")) == {"POST"}


# When the database is away


@pytest.mark.parametrize("trouble", [StoreUnavailable("it is away"), StoreDenied("its password is wrong")])
def test_while_the_database_is_away_everybody_is_told_to_try_again(
    client: Client, database: Database, trouble: StoreError
) -> None:
    database.trouble = trouble
    response = send(client, CHECK)
    assert (response.status_code, reason(response), response.headers["Retry-After"]) == (503, str(trouble), "1")
    assert client.get(f"/api/v2/store/stats?{PAST}", headers=READER).status_code == 503
    assert client.get("/healthz").status_code == 503
    assert reason(client.get("/healthz")) == "the database does not answer"
    assert b"monitoring_database_up 0.0" in client.get("/metrics", headers=READER).data
    database.trouble = None
    assert client.get("/healthz").json == {"status": "ok"}


def test_what_the_database_will_never_take_is_refused(client: Client, database: Database) -> None:
    database.refusal = StoreRefused("database: field type conflict", dropped=1, field="lag", by_age=False)
    response = send(client, CHECK)
    assert response.status_code == 422
    assert response.json == {"error": "database: field type conflict", "dropped": 1, "field": "lag"}


def test_a_mistake_of_ours_is_an_internal_error_without_details(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "last_time", lambda: 1 / 0)
    client.application.config["PROPAGATE_EXCEPTIONS"] = False  # type: ignore[attr-defined]
    response = client.get("/api/v2/store/last-time", headers=READER)
    assert (response.status_code, reason(response)) == (500, "internal error")


# Metrics


def test_metrics_tell_what_was_taken_and_how_sites_are(client: Client) -> None:
    now_ms = SystemClock().now_ms()
    good = {**CHECK, "timeMs": now_ms - 10_000}
    send(client, good, {**good, "timeMs": now_ms - 5_000, "cause": "dns"}, alerts=({**ALERT, "host": CHECK["host"]},))
    send(client, {**CHECK, "status": -5})
    lines = client.get("/metrics", headers=READER).text.splitlines()
    assert {
        'monitoring_gateway_points_total{kind="check"} 2.0',
        'monitoring_gateway_points_total{kind="alert"} 1.0',
        "monitoring_gateway_refused_total 1.0",
        'monitoring_gateway_requests_total{path="/api/v2/store/points",status="422"} 1.0',
        'monitoring_gateway_refusals_total{status="422"} 1.0',
        'monitoring_gateway_refusals_total{status="401"} 0.0',
        "monitoring_database_up 1.0",
        'monitoring_site_up{site="https://example.org"} 0.0',
        'monitoring_site_availability_ratio{site="https://example.org"} 0.5',
    } <= set(lines)
