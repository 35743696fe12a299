"""A check of a site sees what a new visitor would, and judges what was expected."""

import socket

import psutil
import pycurl
import pytest

from monitoring.checks.assertions import MaxResponseTime
from monitoring.checks.failure import DETAIL_LENGTH, Progress, printable, transfer_failure
from monitoring.models import PHASES, Cause
from tests.support.certificates import Authority
from tests.support.probing import SHORT_MS, assertions, check, check_raw, phase, probing, site
from tests.support.servers import OK, HttpServer, closed_port, pause, read_request, redirect, response

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


# --- A good server


def test_a_site_that_answers_is_available_with_every_phase_it_had() -> None:
    with HttpServer() as server:
        result = check(server.url())
    assert (result.status, result.cause) == (200, None)
    assert [name for name, time_us in zip(PHASES, result.phases_us, strict=True) if time_us is None] == ["tls"]


def test_a_tls_site_is_available_with_all_five_phases(authority: Authority) -> None:
    with HttpServer(tls=authority.server("localhost")) as server:
        result = check(server.url(host="localhost"), ca_file=authority.ca_file)
    assert (result.status, result.cause) == (200, None)
    assert None not in result.phases_us


def test_a_delay_is_seen_in_the_phase_where_it_happened() -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        pause(connection, 0.2)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n")
        pause(connection, 0.4)
        connection.sendall(b"ok")

    result = check_raw(handle)
    assert result.cause is None
    assert 190_000 <= phase(result, "processing") < 1_000_000
    assert 390_000 <= phase(result, "transfer") < 1_200_000


def test_one_probe_follows_a_site_down_and_up_again_on_fresh_connections() -> None:
    answers = (OK, response(503), b"", redirect("/elsewhere"), OK, OK)
    with HttpServer(*answers) as server, probing(site(server.url())) as probe:
        results = [probe.check() for _ in range(5)]
    assert [result.cause for result in results] == [None, Cause.STATUS, Cause.PROTOCOL, None, None]
    assert [result.status for result in results] == [200, 503, 0, 200, 200]
    assert all(phase(result, "connect") for result in results)


def test_a_name_with_an_address_that_refuses_is_tried_on_the_others() -> None:
    """`localhost` may be ::1 as well, where nobody listens."""
    with HttpServer() as server:
        assert check(server.url(host="localhost")).cause is None


def test_a_proxy_of_the_environment_is_not_between_the_site_and_its_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with HttpServer() as server:
        assert check(server.url()).cause is None


# --- What is expected


@pytest.mark.parametrize(
    ("status", "expected", "cause"),
    [(399, None, None), (400, None, Cause.STATUS), (503, None, Cause.STATUS), (401, ["200-299", 401], None),
     (200, "201-299", Cause.STATUS), (503, "500-599", None), (999, None, Cause.STATUS), (999, 999, None)],
)  # fmt: skip
def test_a_status_is_judged_by_the_ranges_given_or_else_below_400(
    status: int, expected: object, cause: Cause | None
) -> None:
    with HttpServer(response(status)) as server:
        result = check(server.url(), expectedStatus=expected)
    assert (result.status, result.cause) == (status, cause)
    assert result.response_us is not None
    assert result.detail == (f"status {status}" if cause else "")


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"expectedText": "all is caf\u00e9"}, ""),
        ({"expectedText": "All is"}, "expected text not found"),
        ({"expectedPattern": r"v\d+"}, ""),
        ({"expectedPattern": r"v\d{3}"}, "expected pattern not found"),
        ({"expectedText": "all", "expectedPattern": "nothing"}, "expected pattern not found"),
    ],
)
@pytest.mark.parametrize(
    ("charset", "codec"),
    [("utf-8", "utf-8"), ('"ISO-8859-1"', "latin-1"), ("utf-16", "utf-16"), ("punycode", "utf-8"), ("iso-8859-99", "utf-8")],
)
def test_text_is_found_in_the_charset_of_the_page(options: dict[str, str], detail: str, charset: str, codec: str) -> None:
    page = response(200, "all is caf\u00e9 v42".encode(codec), {"Content-Type": f"text/plain; charset={charset}"})
    with HttpServer(page) as server:
        result = check(server.url(), **options)  # type: ignore[arg-type]
    assert result.detail == detail
    assert result.cause == (Cause.CONTENT if detail else None)


def test_a_page_that_is_not_text_is_searched_all_the_same() -> None:
    with HttpServer(response(200, bytes(range(256)))) as server:
        assert check(server.url(), expectedText="ABC").cause is None


def test_text_is_looked_for_up_to_the_cap_only() -> None:
    with HttpServer(response(200, b"x" * 50_000 + b"word")) as server:
        assert check(server.url(), cap_bytes=60_000, expectedText="word").cause is None
        assert check(server.url(), cap_bytes=50_002, expectedText="word").cause == Cause.CONTENT
        assert check(server.url(), cap_bytes=50_002, expectedPattern="xwo$").cause is None


def test_a_pattern_that_would_take_for_ever_is_given_up() -> None:
    with HttpServer(response(200, b"a" * 5_000 + b"!")) as server:
        result = check(server.url(), timeout_ms=SHORT_MS, expectedPattern=r"^(a|aa|a*b?)+$")
    assert result.cause == Cause.CONTENT
    assert "took more than" in result.detail
    assert result.response_us is not None


def test_an_answer_slower_than_the_limit_is_slow() -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        pause(connection, 0.2)
        connection.sendall(OK)

    slow = check_raw(handle, maxResponseTime=0.1)
    assert (slow.status, slow.cause) == (200, Cause.SLOW)
    assert slow.detail.startswith("took 0.")
    assert slow.detail.endswith(" s, limit 0.1 s")
    assert check_raw(handle, maxResponseTime=2.9).cause is None


def test_status_is_judged_before_content_and_content_before_time() -> None:
    expected = (*assertions(expectedText="yes"), MaxResponseTime(1))
    with HttpServer(response(500, b"no"), response(200, b"no"), response(200, b"yes")) as server:
        causes = [check(server.url(), assertions=expected).cause for _ in range(3)]
    assert causes == [Cause.STATUS, Cause.CONTENT, Cause.SLOW]


# --- Whatever happens


def test_anything_unexpected_is_a_result_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("https://user:secret@host")

    monkeypatch.setattr("monitoring.checks.probe.judge", broken)
    with HttpServer() as server:
        result = check(server.url())
    assert (result.cause, result.detail) == (Cause.ERROR, "unexpected RuntimeError in the probe")


def test_many_checks_leave_no_connection_open(authority: Authority) -> None:
    with (
        HttpServer(tls=authority.server("localhost")) as server,
        probing(site(server.url(host="localhost")), ca_file=authority.ca_file) as probe,
    ):
        probe.check()
        before = psutil.Process().num_fds()
        assert all(probe.check().cause is None for _ in range(50))
        assert psutil.Process().num_fds() <= before + 5


SECURED = "after the TLS handshake: "


@pytest.mark.parametrize(
    ("code", "tls", "request_sent", "cause", "before"),
    [
        (pycurl.E_SEND_ERROR, "no", False, Cause.CONNECT, ""),  # lost before the request was out
        (pycurl.E_SEND_ERROR, "no", True, Cause.PROTOCOL, ""),
        (pycurl.E_SEND_ERROR, "begun", False, Cause.TLS, ""),
        (pycurl.E_SEND_ERROR, "done", False, Cause.TLS, SECURED),  # TLS 1.3 refuses late
        (pycurl.E_SEND_ERROR, "done", True, Cause.PROTOCOL, ""),
        (pycurl.E_RECV_ERROR, "begun", False, Cause.TLS, ""),
        (pycurl.E_RECV_ERROR, "done", True, Cause.PROTOCOL, ""),
        (pycurl.E_GOT_NOTHING, "begun", False, Cause.TLS, ""),
        (pycurl.E_GOT_NOTHING, "no", True, Cause.PROTOCOL, ""),
        (pycurl.E_OPERATION_TIMEDOUT, "begun", False, Cause.TIMEOUT, ""),  # in whichever phase
        (pycurl.E_OUT_OF_MEMORY, "no", False, Cause.ERROR, ""),
    ],
)
def test_a_lost_connection_is_judged_by_how_far_it_had_come(
    code: int, tls: str, request_sent: bool, cause: Cause, before: str
) -> None:
    """Pure: the order in which a reset and a request meet cannot be arranged on a real connection."""
    progress = Progress(tls != "no", tls == "begun", request_sent, redirected=False)
    failure = transfer_failure(code, "", progress)
    assert failure.cause == cause
    assert failure.detail == before + pycurl.easy_strerror(code)


def test_a_detail_is_short_and_cannot_drive_a_terminal() -> None:
    assert printable("a\x1b[2J\nb\u202e caf\u00e9") == "a\\x1b[2J\\nb\\u202e caf\u00e9"


def test_a_detail_that_is_too_long_is_cut_at_its_end_and_says_so() -> None:
    words = "word " * 100
    assert printable(words[:DETAIL_LENGTH]) == words[:DETAIL_LENGTH]
    assert printable(words) == words[: DETAIL_LENGTH - 1].rpartition(" ")[0] + "\u2026"
    for text in ("x" * 1000, "\0" * 1000):
        assert len(printable(text)) == DETAIL_LENGTH
        assert printable(text).endswith("\u2026")
