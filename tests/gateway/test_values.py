"""What a gateway takes: every value is tested, and what is wrong is named."""

import pytest
from werkzeug.test import Client, TestResponse

from monitoring import names
from monitoring.fields import CHECK_FIELDS
from monitoring.gateway.limits import Limits
from monitoring.models import PHASES
from monitoring.storage.gateway.interface import MOST_POINTS
from tests.support.gateway_application import ALERT, CHECK, PAST, READER, WRITER, Database, client_of, reason, send
from tests.support.results import START_MS

PHASE_KEYS = [f"{phase}Us" for phase in PHASES]


def test_what_was_sent_can_be_read(client: Client) -> None:
    assert send(client, CHECK, alerts=(ALERT,)).json == {"stored": 2}
    unset = {"responseUs": None, "cause": None, "detail": "", "certificateS": None, "maintenance": None}
    whole = {**CHECK, **unset, **dict.fromkeys(PHASE_KEYS)}
    assert client.get(f"/api/v2/store/results?{PAST}", headers=READER).json["checks"] == [whole]
    latest = client.get("/api/v2/store/alerts/latest", headers=READER).json
    assert latest == {"alerts": [{**ALERT, "endMs": None, "detail": ""}]}
    site = client.get(f"/api/v2/store/stats?{PAST}", headers=READER).json["sites"][0]
    assert (site["host"], site["checks"], site["availability"], site["statuses"]) == (CHECK["host"], 1, 100, {"200": 1})


def test_a_window_may_be_named_by_its_length(client: Client) -> None:
    answer = client.get("/api/v2/store/stats?window=600", headers=READER).json
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
    assert client.get("/api/v2/store/last-time", query_string={"location": host}, headers=READER).status_code == 422
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
    response = client.post("/api/v2/store/points", data=body, content_type="application/json", headers=WRITER)
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
    response = client.post("/api/v2/store/points", data=body, content_type="application/json", headers=WRITER)
    assert response.status_code == 422
    assert reason(response)


def test_a_body_must_be_plain_json(client: Client) -> None:
    assert client.post("/api/v2/store/points", data="a=b", content_type="text/plain", headers=WRITER).status_code == 415
    packed = {**WRITER, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert client.post("/api/v2/store/points", data=b"\x1f\x8b", headers=packed).status_code == 415


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
    return client.post("/api/v2/store/points", json={"summaries": [summary(**changes)]}, headers=WRITER)


def test_a_summary_is_stored_as_it_is(client: Client) -> None:
    assert write_summary(client).json == {"stored": 1}
    site = client.get(f"/api/v2/store/stats?{PAST}&exact=true", headers=READER).json["sites"][0]
    assert (site["checks"], site["available"], site["responseUs"]["p95"], site["causes"]) == (3, 2, 20, {"dns": 1})
    minute_ms = START_MS // 60_000 * 60_000
    window = {"from": minute_ms, "until": minute_ms + 60_000}
    answer = client.get("/api/v2/store/missing", query_string=window, headers=READER)
    assert answer.json == {**window, "missing": 3}


@pytest.mark.parametrize(("key", "value", "words"), [
    ("startMs", START_MS, "startMs must be a whole multiple of 60000"),
    ("failures", 4, "failures and maintenance must not be more than checks"),
    ("downMs", 6_001, "downMs and maintenanceMs must not be more than coversMs"),
    ("maintenance", 3, "failures and maintenance must not be more than checks"),
    ("maintenance", 1, "maintenanceMs must be at least 1 a check in maintenance"),
    ("maintenanceMs", 6_000, "downMs and maintenanceMs must not be more than coversMs"),
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
