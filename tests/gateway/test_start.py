"""How a gateway starts and ends: its address, its tokens, its certificate."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.config.keys.databases import parse_listen
from monitoring.config.tokens import Tokens, client_token, gateway_tokens
from monitoring.errors import ConfigError
from monitoring.gateway.certificate import TlsFiles
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import SharedFile
from tests.support.gateway import CHECK, HOST, NO_TOKENS, READ_TOKEN, TOKENS, WRITE_TOKEN, Gateway
from tests.support.influxd import free_port
from tests.support.monitor import write_config
from tests.support.points import EVER

LISTEN = {
    "127.0.0.1:8087": ("127.0.0.1", 8087, True), "localhost:1": ("localhost", 1, True), "[::1]:8087": ("::1", 8087, True),
    "0.0.0.0:80": ("0.0.0.0", 80, False), "[::]:80": ("::", 80, False), "gate.example:443": ("gate.example", 443, False),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), LISTEN.items())
def test_an_address_to_listen_on_is_a_host_and_a_port(text: str, wanted: tuple[str, int, bool]) -> None:
    found = parse_listen(text)
    assert (found.host, found.port, found.is_loopback) == wanted
    assert str(found) == text


@pytest.mark.parametrize(
    "text", ["", "8087", ":8087", "host", "host:", "host:99999", "me@host:1", "host:1/x", "h h:1", "[::1:1"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--listen: "):
        parse_listen(text)


def test_a_token_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{READ_TOKEN}\n")
    environ = {"MONITORING_WRITE_TOKEN": WRITE_TOKEN, "MONITORING_READ_TOKEN_FILE": str(tmp_path / "token")}
    assert gateway_tokens(environ) == Tokens(WRITE_TOKEN, READ_TOKEN)
    assert client_token({"MONITORING_TOKEN_FILE": str(tmp_path / "token")}) == READ_TOKEN
    assert client_token({}) is None


@pytest.mark.parametrize(("environ", "words"), [
    ({"MONITORING_READ_TOKEN": ""}, "MONITORING_READ_TOKEN: must be a token"),
    ({"MONITORING_READ_TOKEN": "two words of secret"}, "MONITORING_READ_TOKEN: must be a token"),
    ({"MONITORING_READ_TOKEN": "short-secret"}, "MONITORING_READ_TOKEN: must have at least 16 characters"),
    ({"MONITORING_READ_TOKEN_FILE": "/nothing/here"}, "MONITORING_READ_TOKEN_FILE: /nothing/here: No such file"),
    ({"MONITORING_READ_TOKEN": "x", "MONITORING_READ_TOKEN_FILE": "y"}, "are both set"),
])  # fmt: skip
def test_a_token_that_cannot_be_used_is_named_but_not_shown(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        gateway_tokens(environ)
    assert "secret" not in str(refused.value)


def start(folder: Path, *tls: Path, listen: str | None = None, tokens: Tokens = TOKENS) -> tuple[int, list[str]]:
    """Start a gateway that will not start; its exit status and what it said."""
    config = write_config(folder, ["http://127.0.0.1:1"], database="sqlite:")
    with Gateway(config, *tls, listen=listen, tokens=tokens) as gateway:
        return gateway.wait(), gateway.errors


def test_without_tokens_it_does_not_listen_where_others_could_come(tmp_path: Path) -> None:
    status, said = start(tmp_path, listen=f"0.0.0.0:{free_port()}", tokens=NO_TOKENS)
    assert status == 2
    assert len(said) == 1
    assert "set MONITORING_WRITE_TOKEN and MONITORING_READ_TOKEN" in said[0]


def test_a_certificate_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    for file in (tmp_path / "junk", tmp_path / "missing"):
        status, said = start(tmp_path, file, file)
        assert (status, len(said)) == (2, 1)
        assert said[0].startswith("--tls-cert")


def test_an_address_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        status, said = start(tmp_path, listen=f"{HOST}:{taken.getsockname()[1]}")
    assert (status, len(said)) == (1, 1)
    assert "Address already in use" in said[0]


def test_a_gateway_of_a_gateway_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:1"], database="gateway+http://127.0.0.1:1")
    with Gateway(config) as gateway:
        assert gateway.wait() == 2
    assert gateway.errors == ["database: gateway+http://127.0.0.1:1: a gateway needs a database of its own"]


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_sigterm_ends_it_with_all_that_was_taken(tmp_path: Path, certificate: tuple[TlsFiles, str], is_tls: bool) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:1"], database="sqlite:")
    files, ca_file = certificate
    with Gateway(config, *([files.certificate, files.key] if is_tls else [])) as gateway:
        gateway.wait_until_it_serves()
        writer = gateway.store(WRITE_TOKEN, ca_file)
        writer.write(Points([CHECK]))
        assert gateway.terminate() == 0  # its client is still connected
        writer.close()
    assert gateway.errors == []
    with closing(SharedFile(config.with_suffix(".db"))) as kept:
        assert list(kept.open().results(EVER)) == [CHECK]
