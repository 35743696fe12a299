"""What counts as a whole page: where browsers show it, it is one, whatever its headers say."""

import gzip
import socket
import ssl
import zlib
from collections.abc import Iterator

import brotli
import pytest
import pyzstd

from monitoring.checks.decoding import MOST_BYTES, Undecodable, open_decoder
from monitoring.models import Cause
from tests.support.certificates import Authority
from tests.support.probing import check, check_raw
from tests.support.servers import HttpServer, RawServer, reset, resets_after, response, sends

PAGE = b"hello world " * 2_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


ENCODED = {
    "gzip": gzip.compress(PAGE),
    "x-gzip": gzip.compress(PAGE),
    "GZIP": gzip.compress(PAGE),
    "deflate": zlib.compress(PAGE),
    "Deflate": raw_deflate(PAGE),
    "br": brotli.compress(PAGE),
    "gzip, br": brotli.compress(gzip.compress(PAGE)),
    "deflate,identity , gzip": gzip.compress(zlib.compress(PAGE)),
    "": PAGE,
    "identity": PAGE,
    "UTF-8": PAGE,
    "none": PAGE,
    "compress": PAGE,
    "gzip, UTF-8": PAGE,
    "zstd": pyzstd.compress(PAGE),
}


def pieces(data: bytes, length: int) -> Iterator[bytes]:
    return (data[start : start + length] for start in range(0, len(data), length))


# --- Content-Encoding


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_page_is_read_through_its_encoding(encoding: str) -> None:
    answer = response(200, ENCODED[encoding], {"Content-Encoding": encoding})
    with HttpServer(answer) as server:
        assert check(server.url(), expectedPattern=f"^({PAGE[:12].decode()}){{2000}}$").cause is None
        assert check(server.url()).cause is None
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate, br"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "Deflate", "br", "gzip, br", "zstd"])
@pytest.mark.parametrize("length", [1, 100, 10**6])
def test_an_encoding_is_undone_however_it_arrives(encoding: str, length: int) -> None:
    decoder = open_decoder(encoding)
    assert decoder
    assert b"".join(piece for data in pieces(ENCODED[encoding], length) for piece in decoder.feed(data)) == PAGE
    assert decoder.is_complete


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "Deflate", "br", "gzip, br", "zstd"])
def test_a_page_that_is_cut_in_the_middle_of_its_encoding_is_protocol(encoding: str) -> None:
    cut = ENCODED[encoding][:-12]
    for end in ({}, {"Content-Length": str(len(cut))}):
        head = "".join(f"{name}: {value}\r\n" for name, value in {"Content-Encoding": encoding, **end}.items())
        result = check_raw(sends(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + cut))
        assert (result.status, result.cause, result.response_us) == (200, Cause.PROTOCOL, None)
        assert result.detail == "the body ends in the middle of its Content-Encoding"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_page_that_is_not_what_its_encoding_says_is_protocol(encoding: str) -> None:
    with HttpServer(response(200, b"\xff\xfeplain" * 9, {"Content-Encoding": encoding})) as server:
        result = check(server.url())
    assert (result.status, result.cause, result.response_us) == (200, Cause.PROTOCOL, None)
    assert result.detail == f"the body is not {encoding}, as its Content-Encoding says"


def test_an_empty_page_has_no_encoding_to_be_cut() -> None:
    for status, method in ((200, "GET"), (200, "HEAD"), (204, "GET")):
        with HttpServer(response(status, headers={"Content-Encoding": "gzip"})) as server:
            assert check(server.url(), method=method).cause is None


def fields(flags: int, more: bytes) -> bytes:
    """PAGE in gzip, with optional fields in its header."""
    plain = gzip.compress(PAGE)
    return plain[:3] + bytes([flags]) + plain[4:10] + more + plain[10:]


WHOLE = {
    "gzip, no checksum": ("gzip", ENCODED["gzip"][:-8]),
    "gzip, half a checksum": ("gzip", ENCODED["gzip"][:-5]),
    "gzip, another checksum": ("gzip", ENCODED["gzip"][:-8] + b"checksum"),
    "deflate, no checksum": ("deflate", ENCODED["deflate"][:-4]),
    "zstd, two frames": ("zstd", pyzstd.compress(PAGE[:99]) + pyzstd.compress(PAGE[99:])),
    "a name": ("gzip", fields(8, b"page.html\0")),
    "a comment": ("gzip", fields(16, b"\0")),
    "all fields": ("gzip", fields(31, b"\x04\0\0abcname\0comment\0cs")),
}


@pytest.mark.parametrize("length", [1, 7, 10**6])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_page_whose_data_is_whole_is_whole_as_in_browsers(kind: str, length: int) -> None:
    encoding, data = WHOLE[kind]
    decoder = open_decoder(encoding)
    assert decoder
    assert b"".join(piece for part in pieces(data, length) for piece in decoder.feed(part)) == PAGE
    assert decoder.is_complete


def test_a_header_of_gzip_that_never_ends_is_none() -> None:
    decoder = open_decoder("gzip")
    assert decoder
    assert not list(decoder.feed(b"\x1f\x8b\x08\x08" + bytes(6) + b"name" * 1_000))
    with pytest.raises(Undecodable):
        list(decoder.feed(b"name" * 100_000))


def test_what_follows_the_end_of_an_encoding_is_ignored() -> None:
    with HttpServer(response(200, gzip.compress(b"page") + b"\n\0\0", {"Content-Encoding": "gzip"})) as server:
        assert check(server.url(), expectedPattern="^page$").cause is None


def test_an_encoding_in_an_encoding_is_no_place_to_hide_gigabytes() -> None:
    nothing = zlib.compressobj(wbits=-15)
    blocks = (nothing.compress(b"") + nothing.flush(zlib.Z_FULL_FLUSH)) * (2 * MOST_BYTES // 5)
    decoder = open_decoder("deflate, gzip")
    assert decoder
    with pytest.raises(Undecodable, match="more than 64 MB"):
        assert sum(map(len, decoder.feed(gzip.compress(blocks, 1)))) == 0


# --- The status comes first


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"Content-Length: 50\r\n\r\nplain",
        b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    ],
    ids=["not gzip", "cut", "bad chunk"],
)
def test_a_status_that_is_not_expected_says_more_than_a_broken_page(rest: bytes) -> None:
    result = check_raw(sends(b"HTTP/1.1 503 Down\r\n" + rest))
    assert (result.status, result.cause, result.detail) == (503, Cause.STATUS, "status 503")
    assert result.response_us is None
    assert check_raw(sends(b"HTTP/1.1 503 Down\r\n" + rest), expectedStatus=503).cause == Cause.PROTOCOL


# --- The end of TLS


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nhello", None),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello"), None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\n\r\nhello", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", Cause.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Cause.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello")[:-9], Cause.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nX: y", Cause.PROTOCOL),
        (b"", Cause.PROTOCOL),
    ],
    ids=[
        "to the end",
        "gzip",
        "identity",
        "length",
        "chunked",
        "cut",
        "chunks cut",
        "gzip cut",
        "in the headers",
        "no answer",
    ],
)
def test_a_server_may_leave_without_a_word_where_its_page_is_whole(
    authority: Authority, data: bytes, cause: Cause | None
) -> None:
    """Python's own TLS servers end connections without close_notify."""
    with RawServer(sends(data), authority.server("localhost")) as server:
        assert check(server.url(host="localhost"), ca_file=authority.ca_file).cause == cause


def test_a_page_that_a_reset_ends_is_not_whole(authority: Authority) -> None:
    with RawServer(resets_after(b"HTTP/1.0 200 OK\r\n\r\nhel")) as server:
        assert check(server.url()).cause == Cause.PROTOCOL


@pytest.mark.parametrize(("length", "cause"), [(2, None), (3, Cause.PROTOCOL)], ids=["whole", "cut"])
def test_a_server_may_leave_before_it_has_read_all_of_a_request(length: int, cause: Cause | None) -> None:
    """A page is whole when all that it announced has come, though the rest of the request finds nobody."""

    def handle(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nok" % length)
        for _ in range(100):  # a reset that overtakes the page would discard it
            connection.recv(65_536)
        reset(connection)

    body, headers = b"x" * 20_000_000, (("Expect", ""),)
    result = check_raw(handle, method="POST", body=body, headers=headers, expectedText="ok", timeout_ms=60_000)
    assert result.cause == cause


def test_a_server_that_wants_a_certificate_of_the_client_is_tls(authority: Authority) -> None:
    """TLS 1.3 says so after the handshake, and whether its words arrive before the connection is reset is a race."""
    context = authority.server("localhost")
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    with HttpServer(tls=context) as server:
        results = [check(server.url(host="localhost"), ca_file=authority.ca_file) for _ in range(10)]
    assert {result.cause for result in results} == {Cause.TLS}
    assert all("certificate required" in one.detail or "after the TLS handshake: " in one.detail for one in results)
