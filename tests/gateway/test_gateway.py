"""The gateway's interface: who may do what, what is taken, and what every mistake is answered with."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

from monitoring import names
from monitoring.clock import SystemClock
from monitoring.config.tokens import Tokens
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable
from monitoring.fields import CHECK_FIELDS
from monitoring.gateway.application import make_application
from monitoring.gateway.limits import Limits, RateLimiter
from monitoring.models import PHASES, Window
from monitoring.storage.base import Points
from monitoring.storage.gateway.interface import MOST_POINTS
from monitoring.storage.sqlite.database import FileDatabase, SharedFile
from tests.support.clock import FakeClock
from tests.support.gateway import READ_TOKEN, TOKENS, WRITE_TOKEN, only
from tests.support.results import START_MS

CHECK = {"host": "https://example.org", "timeMs": START_MS, "coversMs": 2_000, "lagUs": 7, "status": 200}
ALERT = {"type": "alert", "host": "a", "timeMs": START_MS, "startMs": START_MS - 9, "availability": 76.5, "cause": "dns"}
WRITER = {"Authorization": f"Bearer {WRITE_TOKEN}"}
FORMER = ("results", "minutes", "minutes/announcements", "minutes/seals", "rollups", "proof")
READER = {"Authorization": f"Bearer {READ_TOKEN}"}
ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)
PHASE_KEYS = [f"{phase}Us" for phase in PHASES]
PAST = f"from={ALWAYS.from_ms}&until={ALWAYS.until_ms}"

QUESTIONS = [
    *(f"/api/v2/{name}?{PAST}" for name in ("stats", "results", "alerts", "missing")),
    *("/api/v2/alerts/latest", "/api/v2/last-time", "/api/v2/known", "/api/v2/locations", "/metrics"),
    f"/api/v2/states?before={ALWAYS.until_ms}",
]


class Database(FileDatabase):
    """A file in the part of a database that can be made to fail."""

    trouble: StoreError | None = None
    refusal: StoreRefused | None = None

    def __init__(self, file: SharedFile) -> None:
        super().__init__(file, "")
        self.writes: list[Points] = []

    def write(self, points: Points) -> None:
        self.ping()
        if self.refusal:
            raise self.refusal
        super().write(points)
        self.writes.append(points)

    def stats(self, *arguments: object, **more: object) -> object:  # type: ignore[override]
        self.ping()
        return super().stats(*arguments, **more)  # type: ignore[arg-type]

    def locations(self) -> Sequence[str]:
        self.ping()
        return super().locations()

    def ping(self) -> None:
        if self.trouble:
            raise self.trouble


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    file = SharedFile(tmp_path / "gateway.db")
    yield Database(file)
    file.close()


def client_of(database: Database, tokens: Tokens = TOKENS, limits: Limits | None = None) -> Client:
    return make_application(only(database), tokens, limits or Limits(), SystemClock()).test_client()


@pytest.fixture
def client(database: Database) -> Client:
    return client_of(database)


def send(client: Client, *checks: object, alerts: tuple[object, ...] = ()) -> TestResponse:
    return client.post("/api/v2/points", json={"checks": checks, "alerts": alerts}, headers=WRITER)


def reason(response: TestResponse) -> str:
    """Why it was refused: always JSON with one key."""
    assert response.content_type == "application/json"
    found = json.loads(response.data)
    assert list(found) == ["error"]
    return str(found["error"])


# Tokens


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


@pytest.mark.parametrize("path", ["v2/points", "v2/verify", "v2/record", *(f"v1/{path}" for path in FORMER)])
def test_nobody_writes_without_the_token_for_writing(client: Client, database: Database, path: str) -> None:
    assert client.post(f"/api/{path}", json={"checks": [CHECK]}).status_code == 401
    refused = client.post(f"/api/{path}", json={"checks": [CHECK]}, headers=READER)
    assert (refused.status_code, reason(refused)) == (403, "this token is not for writing (MONITORING_WRITE_TOKEN is)")
    assert not database.writes


def test_a_token_that_is_not_set_opens_nothing(database: Database) -> None:
    """A gateway with a token for writing alone takes, and tells nobody."""
    client = client_of(database, Tokens(write=WRITE_TOKEN))
    assert send(client, CHECK).status_code == 200
    assert client.get("/api/v2/known").status_code == 401
    assert client.get("/api/v2/known", headers=WRITER).status_code == 403
    assert client.get("/api/v2/known", headers={"Authorization": "Bearer "}).status_code == 401


def test_one_token_may_be_for_both(database: Database) -> None:
    client = client_of(database, Tokens(WRITE_TOKEN, WRITE_TOKEN))
    assert send(client, CHECK).status_code == 200
    assert client.get("/api/v2/known", headers=WRITER).status_code == 200


def test_without_tokens_everybody_may_do_everything(database: Database) -> None:
    client = client_of(database, Tokens())
    assert client.post("/api/v2/points", json={"checks": [CHECK]}).status_code == 200
    assert client.get("/api/v2/last-time").json == {"timeMs": START_MS}


def test_no_token_is_ever_shown(client: Client) -> None:
    assert WRITE_TOKEN not in repr(TOKENS)
    for path in ("/healthz", "/api/v2/openapi.json", "/api/v2/stats", "/nothing"):
        assert WRITE_TOKEN.encode() not in client.get(path, headers=READER).data


# What is taken


def test_what_was_sent_can_be_read(client: Client) -> None:
    assert send(client, CHECK, alerts=(ALERT,)).json == {"stored": 2}
    whole = {**CHECK, "responseUs": None, "cause": None, "detail": "", **dict.fromkeys(PHASE_KEYS)}
    assert client.get(f"/api/v2/results?{PAST}", headers=READER).json["checks"] == [whole]
    assert client.get("/api/v2/alerts/latest", headers=READER).json == {"alerts": [{**ALERT, "endMs": None, "detail": ""}]}
    site = client.get(f"/api/v2/stats?{PAST}", headers=READER).json["sites"][0]
    assert (site["host"], site["checks"], site["availability"], site["statuses"]) == (CHECK["host"], 1, 100, {"200": 1})


def test_a_window_may_be_named_by_its_length(client: Client) -> None:
    answer = client.get("/api/v2/stats?window=600", headers=READER).json
    assert answer["until"] - answer["from"] == 600_000


ODD_VALUES = [
    *(("host", value) for value in (7, None, "", "x" * 8_001, ["a"])),
    *(("timeMs", value) for value in (float(START_MS), str(START_MS), None, -1, 0, 10**30)),
    *(("coversMs", value) for value in (0, True, 10**13)),
    *(("lagUs", value) for value in (-1, 0.5)),
    *(("status", value) for value in (-1, 1_000, 200.0, False, "200", None)),
    *(("responseUs", value) for value in (-5, 10**13, 1.5)),
    *(("tlsUs", value) for value in ([1], -1, 2**32, "5")),
    *(("detail", value) for value in (None, 7, "x" * 301)),
    *(("cause", value) for value in ("bored", "", ["dns"], 3)),
]


@pytest.mark.parametrize(("key", "value"), ODD_VALUES, ids=ascii)
def test_an_odd_value_is_named_and_nothing_of_its_request_is_stored(
    client: Client, database: Database, key: str, value: object
) -> None:
    response = send(client, CHECK, {**CHECK, key: value})
    assert response.status_code == 422
    assert reason(response).startswith(f"checks[1].{key}: ")
    assert not database.writes


@pytest.mark.parametrize("host", ["line\nbreak", "ends\n", "back\\slash", "\x9b31m"], ids=ascii)
def test_what_is_no_name_is_refused(client: Client, database: Database, host: str) -> None:
    response = send(client, CHECK, {**CHECK, "host": host})
    assert (response.status_code, reason(response)) == (422, f"checks[1]: host must hold {names.CHARACTERS}")
    assert client.get("/api/v2/last-time", query_string={"location": host}, headers=READER).status_code == 422
    assert not database.writes


def test_half_a_character_is_no_json(client: Client, database: Database) -> None:
    assert send(client, {**CHECK, "host": "\ud800"}).status_code == 400
    assert not database.writes


def test_what_nobody_asked_for_is_refused(client: Client) -> None:
    assert reason(send(client, {**CHECK, "extra": 1})) == "checks[0]: object contains unknown field extra"
    assert reason(send(client, {"host": "a"})) == "checks[0]: object missing required field timeMs"


@pytest.mark.parametrize(
    "change",
    [{"type": "joy"}, {"endMs": START_MS}, {"availability": 101}, {"availability": "80"}, {"startMs": None}, {"cause": 1}],
)
def test_an_odd_alert_is_refused(client: Client, database: Database, change: dict[str, object]) -> None:
    assert send(client, alerts=({**ALERT, **change},)).status_code == 422
    assert not database.writes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"checks": [',
        b'{"location": "\xff"}',
        b"{]",
        b'{"checks": NaN}',
        b'{"location": "\\ud800"}',
    ],
)
def test_what_is_no_json_is_not_understood(client: Client, body: bytes) -> None:
    response = client.post("/api/v2/points", data=body, content_type="application/json", headers=WRITER)
    assert (response.status_code, reason(response)) == (400, "the body is not JSON")


@pytest.mark.parametrize(
    "body",
    [
        *("[]", "7", "null", '{"checks": 5}', '{"checks": [[]]}', '{"nobody": []}', '{"checks": [{}]}'),
        *("[" * 100_000, "1" * 10_000, '{"a": Infinity}', '{"location": ""}', '{"location": "a\\n"}'),
    ],
    ids=lambda body: body[:20],
)
def test_json_of_another_shape_is_refused(client: Client, body: str) -> None:
    response = client.post("/api/v2/points", data=body, content_type="application/json", headers=WRITER)
    assert response.status_code == 422
    assert reason(response)


def test_a_body_must_be_plain_json(client: Client) -> None:
    assert client.post("/api/v2/points", data="a=b", content_type="text/plain", headers=WRITER).status_code == 415
    packed = {**WRITER, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert client.post("/api/v2/points", data=b"\x1f\x8b", headers=packed).status_code == 415


def test_a_long_body_is_refused_unread(database: Database) -> None:
    client = client_of(database, limits=Limits(body_bytes=1_000))
    response = send(client, *[CHECK] * 20)
    assert response.status_code == 413
    assert reason(response)
    assert not database.writes


def test_only_so_many_points_come_in_one_request_and_so_many_sites_in_all(database: Database) -> None:
    client = client_of(database, limits=Limits(sites=2))
    refused = send(client, *[CHECK] * (MOST_POINTS + 1))
    assert (refused.status_code, reason(refused)) == (422, f"checks: expected array of length <= {MOST_POINTS}")
    assert send(client, {**CHECK, "host": "a"}, {**CHECK, "host": "b"}).status_code == 200
    refused = send(client, {**CHECK, "host": "c"})
    assert (refused.status_code, reason(refused)) == (422, "this gateway takes 2 sites at most")
    assert send(client, {**CHECK, "host": "a"}).status_code == 200


# Questions


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
    response = client.get(f"/api/v2/stats?{query}", headers=READER)
    assert (response.status_code, reason(response)) == (422, words)


def test_a_location_may_look_like_a_number(client: Client) -> None:
    sent = client.post("/api/v2/points", json={"checks": [CHECK], "location": "75001"}, headers=WRITER)
    assert sent.json == {"stored": 1}
    assert client.get("/api/v2/last-time?location=75001", headers=READER).json == {"timeMs": START_MS}


def test_statements_in_a_name_are_names(client: Client) -> None:
    odd = "'; DROP DATABASE monitoring; --"
    send(client, {**CHECK, "host": odd, "cause": "dns"})
    found = client.get(f"/api/v2/results?{PAST}", headers=READER)
    assert [check["host"] for check in found.json["checks"]] == [odd]


def test_a_history_too_long_for_one_answer_is_asked_for_in_parts(database: Database) -> None:
    client = client_of(database, limits=Limits(answer_checks=2))
    send(client, *({**CHECK, "timeMs": START_MS + at} for at in range(3)))
    refused = client.get(f"/api/v2/results?{PAST}", headers=READER)
    assert (refused.status_code, reason(refused)) == (413, "these are more than 2 checks: ask for a shorter window")


def test_only_so_many_response_times_are_put_in_order_at_once(database: Database) -> None:
    client = client_of(database, limits=Limits(exact_checks=2))
    send(client, *({**CHECK, "timeMs": START_MS + at} for at in range(3)))
    refused = client.get(f"/api/v2/stats?{PAST}&exact=true", headers=READER)
    assert (refused.status_code, reason(refused)) == (413, "these are more than 2 checks: ask for a shorter window")
    assert client.get(f"/api/v2/stats?{PAST}&exact=false", headers=READER).json["sites"][0]["checks"] == 3
    day = f"from={START_MS}&until={START_MS + 86_400_000}"
    assert client.get(f"/api/v2/stats?{day}&exact=true", headers=READER).json["sites"][0]["checks"] == 3


@pytest.mark.parametrize("path", ["/", "/api/v2", "/api/v3/stats", "/api/v2/../../etc/passwd", "/query?q=SHOW+DATABASES"])
def test_there_is_nothing_else(client: Client, path: str) -> None:
    assert client.get(path, headers=READER).status_code == 404


def test_another_method_is_not_allowed(client: Client) -> None:
    response = client.delete("/api/v2/points", headers=WRITER)
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
    assert client.get(f"/api/v2/stats?{PAST}", headers=READER).status_code == 503
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
    response = client.get("/api/v2/last-time", headers=READER)
    assert (response.status_code, reason(response)) == (500, "internal error")


# Rates


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
        'monitoring_gateway_requests_total{path="/api/v2/points",status="422"} 1.0',
        "monitoring_database_up 1.0",
        'monitoring_site_up{site="https://example.org"} 0.0',
        'monitoring_site_availability_ratio{site="https://example.org"} 0.5',
    } <= set(lines)


def test_the_description_names_every_limit_as_it_is(client: Client) -> None:
    schemas = client.get("/api/v2/openapi.json").json["components"]["schemas"]
    assert schemas["WriteRequest"]["properties"]["checks"]["maxItems"] == MOST_POINTS
    for field in CHECK_FIELDS:
        described = schemas["NewCheck"]["properties"][field.message]
        assert field.optional == ("anyOf" in described)
        known = described["anyOf"][0] if field.optional else described
        assert known["description"] == field.meaning
        if known.get("type") == "integer":
            assert (known["minimum"], known["maximum"]) == (field.low, field.high)


# Summaries


def summary(**changes: object) -> dict[str, object]:
    """A minute with three checks, one of which failed."""
    start_ms = START_MS // 60_000 * 60_000
    whole = {
        "host": "a",
        "span": "minute",
        "startMs": start_ms,
        "checks": 3,
        "failures": 1,
        "coversMs": 6_000,
        "downMs": 2_000,
        "responses": 2,
        "responsesUs": 30,
        "shortestUs": 10,
        "longestUs": 20,
        "phaseCounts": [2] * 5,
        "phasesUs": [6] * 5,
        "lastFailureMs": start_ms + 7,
        "statuses": {"200": 2},
        "causes": {"dns": 1},
        "times": "CgAAABQAAAA=",
        "sketch": "",
    }
    return {**whole, **changes}


def write_summary(client: Client, **changes: object) -> TestResponse:
    return client.post("/api/v2/points", json={"summaries": [summary(**changes)]}, headers=WRITER)


def test_a_summary_is_stored_as_it_is(client: Client) -> None:
    assert write_summary(client).json == {"stored": 1}
    site = client.get(f"/api/v2/stats?{PAST}&exact=true", headers=READER).json["sites"][0]
    assert (site["checks"], site["available"], site["responseUs"]["p95"], site["causes"]) == (3, 2, 20, {"dns": 1})
    minute_ms = START_MS // 60_000 * 60_000
    missing = client.get(f"/api/v2/missing?from={minute_ms}&until={minute_ms + 60_000}", headers=READER)
    assert missing.json == {"missing": 3}


@pytest.mark.parametrize(("key", "value", "words"), [
    ("startMs", START_MS, "startMs must be a whole multiple of 60000"),
    ("failures", 4, "failures must not be more than checks"),
    ("downMs", 6_001, "downMs must not be more than coversMs"),
    ("checks", 6_001, "coversMs must be at least 1 a check"),
    ("responses", 3, "responses must be of available checks"),
    ("phaseCounts", [3, 0, 0, 0, 0], "phaseCounts must be of available checks"),
    ("statuses", {"200": 4}, "statuses must not be more than checks"),
    ("causes", {}, "causes must be as many as failures"),
    ("lastFailureMs", None, "lastFailureMs must be there when a check failed"),
    ("lastFailureMs", START_MS + 120_000, "lastFailureMs must lie in the span"),
    ("times", "FAAAAAoAAAA=", "times must be ascending"),
    ("times", "CgAA", "times must be as many as responses, of four bytes each"),
    ("shortestUs", 11, "shortestUs and longestUs must be those of the response times"),
    ("responsesUs", 29, "responsesUs must be the sum of times"),
    ("sketch", "AAAA", "sketch must be empty: a minute has times"),
    ("host", "a\nb", f"host must hold {names.CHARACTERS}"),
])  # fmt: skip
def test_a_summary_that_no_checks_add_up_to_is_refused(
    client: Client, database: Database, key: str, value: object, words: str
) -> None:
    response = write_summary(client, **{key: value})
    assert (response.status_code, reason(response)) == (422, f"summaries[0]: {words}")
    assert not database.writes


@pytest.mark.parametrize(("statuses", "words"), [
    ({"ok": 1}, "expected int, got str"),
    ({"007": 1}, "expected int, got str"),
    ({"1000": 1}, "expected int <= 999"),
    ({"200": -1}, "expected int >= 0"),
])  # fmt: skip
def test_statuses_are_named_by_numbers(client: Client, statuses: dict[str, int], words: str) -> None:
    response = write_summary(client, statuses=statuses)
    assert response.status_code == 422
    assert reason(response).startswith("summaries[0].statuses")
    assert reason(response).endswith(f": {words}")


@pytest.mark.parametrize("sketch", ["", "AAAA", "AQAAAg==", "/////w=="])
def test_a_sketch_that_is_none_is_refused(client: Client, sketch: str) -> None:
    hour_ms = START_MS // 3_600_000 * 3_600_000
    assert write_summary(client, span="hour", startMs=hour_ms, times="", sketch=sketch).status_code == 422
