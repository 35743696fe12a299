"""The gateway on a real socket: slow and oversized requests, and TLS."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from monitoring.errors import StoreDenied, StoreUnavailable
from monitoring.gateway.certificate import TlsFiles
from monitoring.gateway.limits import Limits
from monitoring.models import CheckResult
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import FileDatabase, SharedFile
from monitoring.trust import MOZILLA, Trust
from tests.support.gateway import HOST, NO_TOKENS, READ_TOKEN, TOKENS, WRITE_TOKEN, client, serving
from tests.support.points import EVER
from tests.support.results import START_MS

SHORT = Limits(request_s=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[FileDatabase]:
    file = SharedFile(tmp_path / "gateway.db")
    yield file.open()
    file.close()


# Bad requests on the wire

POINTS = "/api/v2/store/points"
NO_PATH = "there is nothing at this path; see /api/v2/openapi.json"


@contextmanager
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, port), timeout=30) as sock:
        yield sock


def answer(sock: socket.socket) -> bytes:
    """Everything until the other side ends the connection."""
    found = b""
    while part := sock.recv(65_536):
        found += part
    return found


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


JSON_BODY = ("Content-Type: application/json", f"Authorization: Bearer {WRITE_TOKEN}")


@pytest.mark.parametrize(("request_bytes", "status", "words"), [
    (head(POINTS, "Content-Length: 9000000"), 413, "exceeds max_body of 8388608"),
    (head(POINTS, "Content-Length: 99999999999999"), 413, "exceeds max_body of 8388608"),
    (head(POINTS, "Content-Length: -5"), 400, "Content-Length is invalid"),
    (head(POINTS, *JSON_BODY, "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n", 400, "Invalid chunk size"),
    (head("/", "Transfer-Encoding: gzip"), 501, "Transfer-Encoding requested is not supported."),
    (head("/", method="post"), 400, 'Malformed HTTP method "post"'),
    (head("/", "no colon", method="GET"), 400, "Invalid header"),
    (head("/api/v3/points", *JSON_BODY, "Connection: close"), 404, NO_PATH),
    (head(POINTS, "Connection: close", method="GET"), 405, "this path does not take this method"),
])  # fmt: skip
def test_every_mistake_is_answered_in_json(database: FileDatabase, request_bytes: bytes, status: int, words: str) -> None:
    """Those that never come so far as the application, too."""
    with serving(database, TOKENS) as port, connection(port) as sock:
        sock.sendall(request_bytes)
        first, _, body = answer(sock).partition(b"\r\n\r\n")
    assert int(first.split()[1]) == status
    assert b"content-type: application/json" in first.lower()
    assert json.loads(body) == {"error": words}


def test_a_body_that_is_cut_short_is_not_taken(database: FileDatabase) -> None:
    with serving(database, TOKENS) as port, connection(port) as sock:
        sock.sendall(head(POINTS, *JSON_BODY, "Content-Length: 100") + b'{"checks":[')
        sock.shutdown(socket.SHUT_WR)
        assert answer(sock) == b""
    assert database.last_time() is None


def test_a_long_body_in_chunks_is_refused_on_its_way(database: FileDatabase) -> None:
    with serving(database, NO_TOKENS, Limits(body_bytes=10_000)) as port, connection(port) as sock:
        sock.sendall(head(POINTS, "Transfer-Encoding: chunked") + b"2711\r\n" + b"x" * 0x2711)
        assert answer(sock).endswith(b'{"error":"exceeds max_body of 10000"}')


def test_what_is_long_is_sent_in_several_requests(database: FileDatabase) -> None:
    """A gateway that ends a connection before all is sent may not be heard: the batch would be sent again for ever."""
    checks = [CheckResult("a" * 8_000, START_MS + at, 1, 1) for at in range(1_100)]
    with serving(database) as port, client(port) as store:
        store.write(Points(checks))
        assert len(list(store.results(EVER))) == len(checks)


@pytest.mark.parametrize("request_bytes", [
    b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", head("/", "Content-Length: -5"), head("/", "Content-Length: 1, 2"),
    head("/", "X: " + "y" * 100_000), head("/", "Transfer-Encoding: gzip"), b"\0" * 5_000 + b"\r\n\r\n",
], ids=lambda it: ascii(it[:20]))  # fmt: skip
def test_what_is_no_request_harms_nobody(database: FileDatabase, request_bytes: bytes) -> None:
    with serving(database) as port:
        with connection(port) as sock:
            with suppress(OSError):  # the server may have ended the connection already
                sock.sendall(request_bytes)
                sock.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                assert answer(sock)[:10] in (b"", b"HTTP/1.0 4", b"HTTP/1.1 4", b"HTTP/1.0 5", b"HTTP/1.1 5")
        with client(port) as store:
            store.is_known()


def slowly(sock: socket.socket, done: threading.Event) -> None:
    """A byte now and then, for ever."""
    while not done.wait(0.1):
        try:
            sock.sendall(b"x")
        except OSError:
            return


@pytest.mark.parametrize("begin", [b"", b"GET /heal", head(POINTS, "Content-Length: 1000000")], ids=len)
def test_slow_clients_are_let_go_and_nobody_waits_for_them(database: FileDatabase, begin: bytes) -> None:
    """More of them than there are threads, each sending a byte now and then."""
    done = threading.Event()
    with serving(database, NO_TOKENS, SHORT) as port, ExitStack() as stack:
        socks = [stack.enter_context(connection(port)) for _ in range(2 * SHORT.threads)]
        for sock in socks:
            sock.sendall(begin)
        drips = [threading.Thread(target=slowly, args=(sock, done)) for sock in socks if begin]
        for drip in drips:
            drip.start()
        with client(port) as store:
            store.is_known()
        for sock in socks:
            with pytest.raises((ConnectionError, AssertionError)):  # reset, or ended
                assert sock.recv(100)
        done.set()
        for drip in drips:
            drip.join()


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_one_address_cannot_take_all_connections(
    database: FileDatabase, certificate: tuple[TlsFiles, str], is_tls: bool
) -> None:
    """However many it opens and keeps: another address is answered at once."""
    files, ca_file = certificate
    context = ssl.create_default_context(cafile=ca_file)
    limits = Limits(connections=40, address_connections=10)

    def connect(port: int, source: str) -> socket.socket:
        sock = stack.enter_context(socket.create_connection((HOST, port), 30, (source, 0)))
        return stack.enter_context(context.wrap_socket(sock, server_hostname=HOST)) if is_tls else sock

    with serving(database, NO_TOKENS, limits, tls=files if is_tls else None) as port, ExitStack() as stack:
        kept = [connect(port, "127.0.0.1") for _ in range(60)]
        other = connect(port, "127.0.0.2")
        other.sendall(head("/healthz", "Connection: close", method="GET"))
        assert b" 200 " in answer(other).splitlines()[0]
        with suppress(OSError):
            assert answer(kept[-1]) == b""
        kept[0].sendall(head("/healthz", "Connection: close", method="GET"))
        assert b" 200 " in answer(kept[0]).splitlines()[0]


def test_a_hung_database_leaves_threads_that_say_so(database: FileDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    released, waiting = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        waiting.release()
        released.wait()

    monkeypatch.setattr(database, "last_time", hang)
    limits = Limits(threads=4, busy=2, patience_s=0.05)
    with serving(database, NO_TOKENS, limits) as port, client(port, read_timeout=30) as store:
        hung = [threading.Thread(target=store.last_time) for _ in range(2)]
        for thread in hung:
            thread.start()
            waiting.acquire()
        with pytest.raises(StoreUnavailable, match="503: the gateway is waiting for its database"):
            store.stats(EVER, exact=True)
        with connection(port) as sock:
            sock.sendall(head("/healthz", "Connection: close", method="GET"))
            assert b" 200 " in answer(sock).splitlines()[0]
        released.set()
        for thread in hung:
            thread.join()


# TLS


def test_everything_works_over_tls_and_with_nobody_else(database: FileDatabase, certificate: tuple[TlsFiles, str]) -> None:
    files, ca_file = certificate
    with serving(database, TOKENS, tls=files) as port:
        with client(port, WRITE_TOKEN, tls=Trust(ca_file)) as writer:
            for at in range(20):
                writer.write(Points([CheckResult("a" * 4_000, START_MS + at * 500 + number, 1, 1) for number in range(500)]))
        with client(port, READ_TOKEN, tls=Trust(ca_file)) as reader:
            assert len(list(reader.results(EVER))) == 10_000
        with client(port, READ_TOKEN, tls=MOZILLA) as stranger, pytest.raises(StoreUnavailable, match="TLS"):
            stranger.last_time()
        with client(port, READ_TOKEN) as plain, pytest.raises(StoreUnavailable):
            plain.last_time()


def test_a_handshake_that_never_ends_keeps_nobody_waiting(database: FileDatabase, certificate: tuple[TlsFiles, str]) -> None:
    files, ca_file = certificate
    with serving(database, tls=files) as port, ExitStack() as stack:
        for begin in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n") * 10:
            stack.enter_context(connection(port)).sendall(begin)
        with client(port, tls=Trust(ca_file)) as store:
            store.is_known()


def test_the_address_behind_tls_is_the_clients_own_and_the_way_around_is_shut(
    database: FileDatabase, certificate: tuple[TlsFiles, str]
) -> None:
    files, ca_file = certificate
    inner: list[int] = []
    with serving(database, NO_TOKENS, Limits(burst=2, requests_per_s=1), tls=files, tell_inner=inner.append) as port:
        with client(inner[0]) as around, pytest.raises(StoreDenied, match="this port is for the gateway itself"):
            around.last_time()
        context = ssl.create_default_context(cafile=ca_file)
        statuses = []
        for source in ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.2"):
            sock = socket.create_connection((HOST, port), source_address=(source, 0))
            with context.wrap_socket(sock, server_hostname=HOST) as tls:
                tls.sendall(head("/healthz", "Connection: close", method="GET"))
                statuses.append(int(answer(tls).split()[1]))
    assert statuses == [200, 200, 429, 200]
