"""Servers that nobody here wrote, started in a directory of their own, in a network of their own (scripts/test-servers)."""

import gzip
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pyzstd

from tests.support.certificates import Authority

HERE = Path(__file__).parent
LIBRARIES = Path(os.environ["SERVER_LIBRARIES"])
"""Where Debian's libraries were unpacked."""

APACHE_MODULES = (LIBRARIES.parent / "apache2/modules", Path("/usr/lib/apache2/modules"))
NGINX_MODULES = (LIBRARIES.parent / "nginx/modules", Path("/usr/lib/nginx/modules"))
NAMES = ("nginx.test", "apache.test", "haproxy.test", "openssl.test")
START_S = 30.0

LISTENING = (80, 443, *range(8001, 8008), 8100, 8101, *range(8200, 8205), 8300, *range(8400, 8405))
"""Every port of the servers below; the name server's comes with its first answer."""

OPENSSL: Mapping[int, Sequence[str]] = {
    8400: ("-cert", "openssl.test.pem", "-www"),
    8401: ("-cert", "expired.test.pem", "-www"),
    8402: ("-cert", "openssl.test.pem", "-www", "-tls1_3", "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"),
    8403: ("-cert", "openssl.test.pem", "-www", "-tls1_2", "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"),
    8404: ("-cert", "openssl.test.pem", "-rev"),  # sends each line back, the other way round: no HTTP
}

HTTPBIN = "import waitress, httpbin; waitress.serve(httpbin.app, listen='127.0.0.1:8300', threads=16)"


def programs() -> Iterator[Sequence[str]]:
    """How each server is started, in its directory."""
    yield "dnsmasq", "-C", "dnsmasq.conf", "--user=", "--group="
    yield "nginx", "-p", ".", "-c", "nginx.conf"
    yield "apache2", "-d", ".", "-f", "apache.conf", "-D", "FOREGROUND"
    yield "haproxy", "-f", "haproxy.cfg"
    yield sys.executable, "-c", HTTPBIN
    for port, options in OPENSSL.items():
        yield "openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", *options


@contextmanager
def all_servers(directory: Path) -> Iterator[Authority]:
    """All of them, ready; the authority is the one that signed their certificates."""
    authority = _write_files(directory)
    environ = {
        **os.environ,
        "LD_LIBRARY_PATH": f"{LIBRARIES}",
        "MODULES": str(next(filter(Path.exists, APACHE_MODULES))),
    }
    with ExitStack() as stack:
        for arguments in programs():
            stack.enter_context(_running(arguments, directory, environ))
        stack.enter_context(_silent_sockets())
        for port in LISTENING:
            _wait_for(port, directory)
        yield authority


@contextmanager
def _running(arguments: Sequence[str], directory: Path, environ: Mapping[str, str]) -> Iterator[None]:
    with (directory / "output.log").open("a") as output:
        process = subprocess.Popen(
            arguments, cwd=directory, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _silent_sockets() -> Iterator[None]:
    """A name server and a web server that take everything and say nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names, socket.create_server(("127.0.0.1", 8998)):
        names.bind(("127.0.0.1", 5301))
        yield


def _wait_for(port: int, directory: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    logs = "\n".join(path.read_text(errors="replace") for path in directory.glob("*.log"))
    raise AssertionError(f"nobody listens on port {port}:\n{logs}")


def _write_files(directory: Path) -> Authority:
    """Configurations, certificates, passwords and pages."""
    authority = Authority(directory)
    for name in NAMES:
        authority.server_file(name)
    authority.server_file("expired.test", expired=True)
    shutil.copy(authority.server_file("old.nginx.test", expired=True), directory / "old.pem")
    (directory / "stranger").mkdir()
    shutil.copy(Authority(directory / "stranger").server_file("nginx.test"), directory / "self-signed.pem")
    for name in ("nginx.conf", "apache.conf", "haproxy.cfg", "dnsmasq.conf"):
        shutil.copy(HERE / name, directory)
    (directory / "modules").symlink_to(next(filter(Path.exists, NGINX_MODULES)))
    for name in ("temporary", "run"):
        (directory / name).mkdir()
    (directory / "mime.types").write_text("text/html html\ntext/plain txt\n")
    (directory / "users").write_text("user:{PLAIN}password\n")
    digest = hashlib.md5(b"user:private:password", usedforsecurity=False).hexdigest()
    (directory / "digest-users").write_text(f"user:private:{digest}\n")
    _write_pages(directory / "pages")
    return authority


def _write_pages(pages: Path) -> None:
    pages.mkdir()
    (pages / "page.html").write_text("<h1>A page</h1>\n" + "<p>All systems operational.</p>\n" * 500)
    (pages / "hello.txt").write_text("hello world\n")
    (pages / "latin1.html").write_bytes("<h1>café</h1>".encode("latin-1"))
    (pages / "meta.html").write_bytes('<meta charset="windows-1251"><h1>привет</h1>'.encode("cp1251"))
    (pages / "undeclared.html").write_bytes("<h1>café “€”</h1>".encode("cp1252"))
    (pages / "sjis.html").write_bytes("<h1>こんにちは</h1>".encode("shift_jis"))
    (pages / "declared.xml").write_bytes('<?xml version="1.0" encoding="iso-8859-15"?><p>12 €</p>'.encode("iso-8859-15"))
    (pages / "mark.json").write_bytes(b'\xef\xbb\xbf{"status": "ok", "items": [1, 2, 3]}')
    (pages / "utf16.txt").write_bytes("\ufeffcafé".encode("utf-16-le"))
    (pages / "cut.asis").write_bytes(
        b"Status: 200 OK\nContent-Encoding: gzip\nContent-Type: text/plain\n\n\x1f\x8b\x08\0\0\0\0\0\0\x03"
    )
    (pages / "unsummed.asis").write_bytes(_encoded("gzip", gzip.compress(b"All systems operational.")[:-8]))
    (pages / "zstd.asis").write_bytes(_encoded("zstd", pyzstd.compress(b"All systems operational.")))
    (pages / "badcookie.asis").write_bytes(b"Status: 200 Fine, thanks\nSet-Cookie: =;=\nContent-Type: text/plain\n\nfine\n")
    (pages / "big.txt").write_bytes(b"x" * 3_000_000 + b"the end")


def _encoded(encoding: str, body: bytes) -> bytes:
    """A page that apache sends as it is."""
    return f"Status: 200 OK\nContent-Encoding: {encoding}\nContent-Type: text/plain\n\n".encode() + body
