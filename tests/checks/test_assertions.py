"""What a site expects of its answers, on real servers: what is right is up, what is wrong is down and says why."""

import json
from collections.abc import Mapping

import pytest

from monitoring.checks.assertions import BODY_CAP, in_force
from monitoring.models import Cause
from tests.support.probing import assertions, check, site
from tests.support.servers import HttpServer, redirect, response

PAGE = b"All systems operational. v42"
STATE = {"status": "ok", "items": [1, 2, 3], "load": 0.5, "error": None, "deep": {"a": [True]}, "name": "caf\u00e9"}


def detail_of(answer: bytes, **expected: object) -> str:
    """What a site that expects this says of the answer; "" when it is up."""
    with HttpServer(answer) as server:
        result = check(server.url(), **expected)  # type: ignore[arg-type]
    assert result.cause in (None, Cause.CONTENT)
    return result.detail


@pytest.mark.parametrize(
    ("expected", "detail"),
    [
        ({"expectedText": ["All", "operational"]}, ""),
        ({"expectedText": ["All", "fine", "v42"]}, "expected text 2 of 3 not found"),
        ({"expectedText": ["none"]}, "expected text not found"),
        ({"forbiddenText": "outage"}, ""),
        ({"forbiddenText": "systems"}, "forbidden text found"),
        ({"forbiddenText": ["outage", "v42"]}, "forbidden text 2 of 2 found"),
        ({"expectedText": "none", "forbiddenText": "All"}, "expected text not found"),
        ({"expectedText": "All", "forbiddenText": "v42", "expectedPattern": "none"}, "forbidden text found"),
    ],
)
def test_texts_are_there_or_not(expected: dict[str, object], detail: str) -> None:
    assert detail_of(response(200, PAGE), **expected) == detail


@pytest.mark.parametrize(
    ("expected", "detail"),
    [
        ({"content-type": "application/json.*"}, ""),
        ({"Content-Type": "json"}, ""),
        ({"Content-Type": "^json"}, "expected pattern of header Content-Type not found: application/json; charset=utf-8"),
        ({"Content-Type": "json", "X-Frame-Options": "DENY"}, "no header X-Frame-Options"),
        ({"X-Cache": "^HIT$"}, ""),  # one of two
        ({"X-Cache": "STALE"}, "expected pattern of header X-Cache not found: MISS, HIT"),
        ({"Set-Cookie": "none"}, "expected pattern of header Set-Cookie not found"),
        ({"X-Long": "b"}, f"expected pattern of header X-Long not found: {'a' * 60}…"),
        ({"X-Empty": "^$"}, ""),
        ({"X-City": "^Zürich €$", "X-Old": "^Zürich$"}, ""),  # UTF-8 as nearly all send it, and latin-1
    ],
)
def test_headers_match_their_patterns(expected: dict[str, str], detail: str) -> None:
    answer = (
        b"HTTP/1.1 103 Early Hints\r\nX-Frame-Options: DENY\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nX-Cache: MISS\r\nx-cache: HIT\r\n"
        b"Set-Cookie: session=secret\r\nX-Long: "
        + b"a" * 500
        + b"\r\nX-Empty:\r\n"
        + "X-City: Zürich €\r\n".encode()
        + "X-Old: Zürich\r\n".encode("latin-1")
        + b"Content-Length: 2\r\n\r\n{}"
    )
    assert detail_of(answer, expectedHeaders=expected) == detail


def test_only_the_headers_of_the_last_answer_count() -> None:
    first = redirect("/there").replace(b"\r\n\r\n", b"\r\nX-Hop: 1\r\n\r\n")
    with HttpServer(first, response(200, headers={"X-Last": "1"})) as server:
        assert check(server.url(), expectedHeaders={"X-Hop": "1"}).detail == "no header X-Hop"
    with HttpServer(first, response(200, headers={"X-Last": "1"})) as server:
        assert check(server.url(), expectedHeaders={"X-Last": "1"}).cause is None


@pytest.mark.parametrize(
    ("expected", "detail"),
    [
        ({"status": "ok", "length(items)": 3}, ""),
        ({"status": "down"}, 'status is "ok"'),
        ({"items": [1, 2, 3], "deep": {"a": [True]}, "load": 0.5}, ""),
        ({"items[0]": 1.0}, ""),
        ({"items[0]": True}, "items[0] is 1"),
        ({"deep.a[0]": 1}, "deep.a[0] is true"),
        ({"items": [1, 2]}, "items is [1, 2, 3]"),
        ({"deep": {}}, 'deep is {"a": [true]}'),
        ({"error": None, "missing": None}, ""),
        ({"missing": "x"}, "missing is null"),
        ({"name": "caf\u00e9"}, ""),
        ({"items[?@ > `1`] | length(@)": 2}, ""),
        ({"load > `1`": False}, ""),
    ],
)
def test_values_in_json_are_the_expected_ones(expected: Mapping[str, object], detail: str) -> None:
    answer = response(200, json.dumps(STATE, ensure_ascii=False).encode(), {"Content-Type": "application/json"})
    assert detail_of(answer, expectedJSON=expected) == detail


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"<html>", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"[" * 100_000, "not JSON: maximum recursion depth exceeded"),
        (b'{"status": 1}', "length(status): In function length(), invalid type for value: 1, expected one of"),
        (b'{"status": "' + b"x" * BODY_CAP + b'"}', "longer than the 1 MiB that are read"),
        (b"\xef\xbb\xbf" + b'{"status": "ab"}', ""),
        ('{"status": "ab"}'.encode("utf-16"), ""),
        (b'{"status": "ab", "number": -' + b"9" * 5_000 + b"}", ""),
    ],
)
def test_what_is_no_json_is_said(body: bytes, detail: str) -> None:
    assert detail_of(response(200, body), expectedJSON={"length(status)": 2})[: len(detail) or None] == detail


def test_a_header_whose_pattern_would_take_for_ever_is_given_up() -> None:
    answer = response(200, headers={"X-A": "a" * 5_000 + "!"})
    with HttpServer(answer) as server:
        result = check(server.url(), timeout_ms=500, expectedHeaders={"X-A": r"^(a|aa|a*b?)+$"})
    assert "took more than" in result.detail


def test_a_status_is_always_judged() -> None:
    target = site("http://localhost", assertions=assertions(forbiddenText="x"))
    assert [str(assertion) for assertion in in_force(target)] == ["a status below 400", "no forbidden text"]
    with HttpServer(response(500, b"fine")) as server:
        assert check(server.url(), forbiddenText="error").cause == Cause.STATUS
