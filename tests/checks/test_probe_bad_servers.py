"""However bad a server is, its check ends in time, in bounded memory and with the right cause."""

import gc
import gzip
import os
import socket
import tracemalloc

import psutil
import pytest

from monitoring.models import Cause
from tests.support.certificates import Authority
from tests.support.probing import SHORT_MS, check, check_raw, phase
from tests.support.servers import (
    OK,
    Handler,
    HttpServer,
    RawServer,
    closed_port,
    hang,
    hangs_after,
    reset,
    resets_after,
    response,
    sends,
    sends_forever,
    unaccepted,
)

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


# --- No connection


def test_a_name_that_does_not_exist_is_dns() -> None:
    result = check("http://no-such-site.invalid/?secret=1")
    assert (result.status, result.cause, result.response_us) == (0, Cause.DNS, None)
    assert result.detail.startswith("could not resolve no-such-site.invalid: ")
    assert result.phases_us == (None,) * 5


def test_a_refused_connection_is_connect() -> None:
    result = check(f"http://127.0.0.1:{closed_port()}/")
    assert (result.status, result.cause, result.response_us) == (0, Cause.CONNECT, None)
    assert [time_us is not None for time_us in result.phases_us] == [True, False, False, False, False]
    assert result.detail.endswith(" ms: Connection refused")


def test_a_reset_at_once_is_a_failure_of_the_connection_or_of_the_answer() -> None:
    """Which of them is a race: the request may have left before the reset arrived."""
    assert check_raw(reset).cause in (Cause.CONNECT, Cause.PROTOCOL)


def test_a_backlog_that_is_never_accepted_is_a_timeout() -> None:
    with unaccepted() as port:
        result = check(f"http://127.0.0.1:{port}/", timeout_ms=SHORT_MS)
    assert (result.status, result.cause, result.response_us) == (0, Cause.TIMEOUT, None)


def test_a_backlog_that_is_full_is_a_timeout_without_a_connect_phase() -> None:
    with unaccepted(backlog_full=True) as port:
        result = check(f"http://127.0.0.1:{port}/", timeout_ms=SHORT_MS)
    assert result.cause == Cause.TIMEOUT
    assert phase(result, "connect") is None


# --- TLS


@pytest.mark.parametrize(
    ("names", "expired", "trusted"),
    [(["elsewhere.example"], False, True), (["localhost"], True, True), (["localhost"], False, False)],
    ids=["wrong host", "expired", "signed by nobody known"],
)
def test_a_certificate_that_a_browser_refuses_is_tls(
    authority: Authority, names: list[str], expired: bool, trusted: bool
) -> None:
    with HttpServer(tls=authority.server(*names, expired=expired)) as server:
        url = server.url(host="localhost")
        strict = check(url, ca_file=authority.ca_file if trusted else None)
        lax = check(url, verify_tls=False)
    assert (strict.status, strict.cause) == (0, Cause.TLS)
    assert phase(strict, "connect") is not None
    assert phase(strict, "tls") is None
    assert (lax.status, lax.cause) == (200, None)


def test_plain_http_on_a_tls_port_is_tls() -> None:
    with RawServer(lambda connection: connection.sendall(OK)) as server:
        assert check(server.url().replace("http:", "https:")).cause == Cause.TLS


def test_a_reset_or_an_end_during_the_handshake_is_tls() -> None:
    def resets(connection: socket.socket) -> None:
        connection.recv(1)
        reset(connection)

    for handler in (resets, lambda connection: connection.recv(65536)):
        with RawServer(handler) as server:
            assert check(server.url().replace("http:", "https:")).cause == Cause.TLS


def test_a_handshake_that_never_ends_is_a_timeout() -> None:
    with RawServer(hang) as server:
        result = check(server.url().replace("http:", "https:"), timeout_ms=SHORT_MS)
    assert result.cause == Cause.TIMEOUT
    assert phase(result, "tls") is None


# --- Answers that never end


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (hang, 0),
        (hangs_after(HEAD), 200),
        (hangs_after(HEAD + b"Content-Length: 5\r\n\r\nab"), 200),
        (sends_forever(b"HTTP/1.1 200 ", b"O", every=0.05), 0),
        (sends_forever(HEAD + b"Content-Length: 1000\r\n\r\n", b".", every=0.05), 200),
        (sends_forever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", every=0.05), 0),
    ],
    ids=["silent", "no end of headers", "no end of body", "status line by bytes", "body by bytes", "hints by and by"],
)
def test_the_time_limit_is_for_the_whole_check(handler: Handler, status: int) -> None:
    result = check_raw(handler, timeout_ms=SHORT_MS)
    assert (result.status, result.cause, result.response_us) == (status, Cause.TIMEOUT, None)
    assert phase(result, "transfer") is None


@pytest.mark.parametrize(
    "handler",
    [
        sends_forever(HEAD, b"X-Padding: " + b"x" * 1000 + b"\r\n"),
        sends_forever(HEAD + b"X: ", b"x" * 10_000),
        sends_forever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
    ],
    ids=["endless headers", "endless header", "storm of interim answers"],
)
def test_headers_without_end_are_ended(handler: Handler) -> None:
    result = check_raw(handler)
    assert (result.cause, result.response_us) == (Cause.PROTOCOL, None)


def test_a_body_without_end_is_read_to_the_cap_and_counts_as_received() -> None:
    result = check_raw(sends_forever(HEAD + b"\r\n", b"x" * 65536))
    assert (result.status, result.cause) == (200, None)


def test_a_gzip_bomb_is_ended_at_the_cap_in_bounded_memory() -> None:
    bomb = response(200, gzip.compress(bytes(200_000_000), 1), {"Content-Encoding": "gzip"})
    with HttpServer(bomb) as server:
        gc.collect()
        before = psutil.Process(os.getpid()).memory_info().rss
        tracemalloc.start()
        result = check(server.url(), expectedText="\0" * 1000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        grown = psutil.Process(os.getpid()).memory_info().rss - before
    assert (result.status, result.cause) == (200, None)
    assert peak < 8_000_000
    assert grown < 50_000_000


# --- Answers that are not HTTP, or not whole


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (sends(b""), 0),
        (sends(b"an answer of 1991\n"), 0),
        (sends(bytes(range(256)) * 20), 0),
        (sends(b"HTTP/1.1 \x1b[2J OK\r\n\r\n"), 0),
        (sends(b"HTTP/9.9 200 OK\r\n\r\n"), 0),
        (resets_after(b""), 0),
        (resets_after(HEAD + b"Content-Length: 5\r\n\r\nab"), 200),
        (sends(HEAD + b"Content-Length: 5\r\n\r\nab"), 200),
        (sends(HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg"), 200),
        (sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), 200),
        (sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"), 200),
        (sends(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"), 200),
    ],
    ids=[
        "nothing",
        "HTTP/0.9",
        "garbage",
        "no status",
        "unknown version",
        "reset after the request",
        "reset within the body",
        "body too short",
        "two lengths",
        "chunk cut off",
        "bad chunk",
        "not gzip",
    ],
)
def test_what_is_not_a_whole_http_answer_is_protocol(handler: Handler, status: int) -> None:
    result = check_raw(handler)
    assert (result.cause, result.response_us) == (Cause.PROTOCOL, None)
    assert result.status in (0, status)


def test_what_comes_after_the_stated_length_is_not_read() -> None:
    result = check_raw(sends(HEAD + b"Content-Length: 2\r\n\r\nok and more"), expectedPattern="^ok$")
    assert result.cause is None


def test_some_interim_answers_before_the_real_one_are_fine() -> None:
    result = check_raw(sends(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK))
    assert (result.status, result.cause) == (200, None)
