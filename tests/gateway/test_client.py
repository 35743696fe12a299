"""The gateway's client: what it makes of answers and of none, and how it sends and reads what is long."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable
from monitoring.gateway.limits import Limits
from monitoring.models import Cause, CheckResult, Window
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import FileDatabase, SharedFile
from tests.support.gateway import HOST, NO_TOKENS, READ_TOKEN, TOKENS, WRITE_TOKEN, client, serving
from tests.support.influxd import free_port
from tests.support.results import START_MS
from tests.support.servers import HttpServer, response

ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)
CHECK = CheckResult("https://example.org", START_MS, 2_000, 7, 503, 1_500_000, cause=Cause.STATUS)
CLOSE = {"Connection": "close"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[FileDatabase]:
    file = SharedFile(tmp_path / "gateway.db")
    yield file.open()
    file.close()


@pytest.mark.parametrize(("status", "reading", "writing"), [
    (301, StoreUnavailable, StoreUnavailable),
    (400, StoreUnavailable, StoreRefused),
    (403, StoreDenied, StoreDenied),
    (404, StoreUnavailable, StoreUnavailable),
    (413, StoreUnavailable, StoreRefused),
    (422, StoreUnavailable, StoreRefused),
    (429, StoreUnavailable, StoreUnavailable),
    (500, StoreUnavailable, StoreUnavailable),
    (503, StoreUnavailable, StoreUnavailable),
])  # fmt: skip
def test_every_status_is_an_error_of_ours(status: int, reading: type[StoreError], writing: type[StoreError]) -> None:
    answered = response(status, b'{"error": "because of \\u001b[31m this"}', {**CLOSE, "Location": "http://127.0.0.1:1/"})
    with HttpServer(lambda _: answered) as server, client(server.port) as store:
        with pytest.raises(reading) as read:
            store.last_time()
        with pytest.raises(writing) as written:
            store.write(Points([CHECK]))
    assert str(read.value).endswith(": because of  [31m this")
    assert str(written.value).endswith(": because of  [31m this")


def test_a_client_without_a_token_is_told_where_to_put_one() -> None:
    with HttpServer(lambda _: response(401, b'{"error": "a token is needed"}', CLOSE)) as server:
        with client(server.port) as store, pytest.raises(StoreDenied, match="wants a token: set MONITORING_TOKEN, or"):
            store.last_time()
        with client(server.port, "wrong-0123456789") as store, pytest.raises(StoreDenied, match="denies access: a token"):
            store.last_time()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"sites": 7}', b'{"sites": [{"host": 1}]}', b"null"])
def test_an_answer_that_is_no_gateways_is_no_answer(body: bytes) -> None:
    with HttpServer(lambda _: response(200, body, CLOSE)) as server, client(server.port) as store:
        for question in (partial(store.stats, exact=True), store.alerts, lambda window: list(store.results(window))):
            with pytest.raises(StoreUnavailable, match="does not answer as a gateway does"):
                question(ALWAYS)
        with pytest.raises(StoreUnavailable):
            store.verify("file")


def test_a_gateway_that_is_not_there_is_unavailable() -> None:
    with client(free_port()) as store, pytest.raises(StoreUnavailable, match=r"does not answer$"):
        store.write(Points([CHECK]))


@pytest.mark.parametrize("headers", [{"Content-Length": "9"}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunks"])
def test_a_gateway_that_ends_within_an_answer_is_away(headers: dict[str, str]) -> None:
    """It was killed just then: nothing else listens at its address."""
    begun = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    answer, away = (
        f"HTTP/1.1 200 OK\r\n{begun}\r\n4\r\n{{".encode(),
        pytest.raises(StoreUnavailable, match=r"does not answer$"),
    )
    with HttpServer(lambda _: answer) as server, client(server.port) as store, away:
        store.last_time()


def test_a_gateway_that_hangs_is_unavailable() -> None:
    late = pytest.raises(StoreUnavailable, match="in time")
    with socket.create_server((HOST, 0)) as silent, client(silent.getsockname()[1], read_timeout=0.2) as store, late:
        store.last_time()


def test_each_token_does_its_own_part(database: FileDatabase) -> None:
    with serving(database, TOKENS) as port, ExitStack() as stack:
        writer, reader, nobody = (stack.enter_context(client(port, token)) for token in (WRITE_TOKEN, READ_TOKEN, None))
        writer.write(Points([CHECK]))
        assert list(reader.results(ALWAYS)) == [CHECK]
        for denied in (lambda: list(writer.results(ALWAYS)), lambda: reader.write(Points([CHECK])), nobody.last_time):
            with pytest.raises(StoreDenied, match="token"):
                denied()


def test_a_proxy_of_the_environment_is_not_asked(database: FileDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(database) as port, client(port) as store:
        assert store.last_time() is None


def test_a_long_history_is_read_in_parts(database: FileDatabase) -> None:
    checks = [CheckResult("a", START_MS + at, 2_000, 7, 200, at) for at in range(50)]
    database.write(Points(checks))
    with serving(database, NO_TOKENS, Limits(answer_checks=4)) as port, client(port) as store:
        assert list(store.results(ALWAYS)) == checks


def test_a_moment_with_too_many_checks_is_said_to_be_so(database: FileDatabase) -> None:
    database.write(Points([CheckResult(host, START_MS, 2_000, 7) for host in "abc"]))
    refused = pytest.raises(StoreUnavailable, match="more than 2 checks")
    with serving(database, NO_TOKENS, Limits(answer_checks=2)) as port, client(port) as store, refused:
        list(store.results(ALWAYS))
