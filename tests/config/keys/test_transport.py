"""How a website is reached: what is written, what it means, what is shown of it."""

from pathlib import Path

import pycurl
import pytest

from monitoring.config import Config, describe, parse_config
from monitoring.errors import ConfigError
from monitoring.transport import Transport
from tests.support.certificates import Authority

URL = "https://me:pw@a.example"


def parse(folder: Path, environ: dict[str, str] | None = None, **keys: object) -> Config:
    data = {"websites": [{"URL": URL, **keys}]}
    return parse_config(data, source="config.json", environ=environ or {}, path=folder / "config.json")


def problem(folder: Path, **keys: object) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(folder, **keys)
    [said] = caught.value.problems
    return said.removeprefix("config.json: websites[0].")


def test_every_key_is_read_and_shown_without_a_secret(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = Path(authority.server_file("client.test")).name
    keys = {
        "ipVersion": 6,
        "proxy": "SOCKS5h://me:${PW}@proxy.example:1080",
        "authentication": "digest",
        "caFile": "ca.pem",
        "clientCertificate": {"certificate": client},
        "minimumTLS": "1.3",
        "httpVersion": "2",
    }
    config = parse(tmp_path, {"PW": "p@ss"}, **keys)
    assert config.sites[0].transport == Transport(
        ip_version=6,
        proxy="socks5h://me:p%40ss@proxy.example:1080",
        shown_proxy="socks5h://me:***@proxy.example:1080",
        authentication="digest",
        ca_file=f"{tmp_path}/ca.pem",
        client_certificate=(f"{tmp_path}/{client}",) * 2,
        minimum_tls="1.3",
        http_version="2",
    )
    assert "p%40ss" not in repr(config.sites[0])
    assert (
        "IPv6 only, through the proxy socks5h://me:***@proxy.example:1080, digest authentication, certificates also from "
        f"{tmp_path}/ca.pem, client certificate {tmp_path}/{client}, TLS 1.3 or newer, HTTP/2; expects"
    ) in describe(config)[1]


@pytest.mark.parametrize("written", ["10.0.0.5", "10.0.0.5:8443", "[::1]", "[::1]:443", "Backend.example:0080"])
def test_a_place_to_connect_to_is_a_host_and_perhaps_a_port(tmp_path: Path, written: str) -> None:
    found = parse(tmp_path, connectTo=written).sites[0].transport.connect_to
    assert found == written.lower().replace("0080", "80")
    assert f"connected to {found}" in describe(parse(tmp_path, connectTo=written))[1]


def test_nothing_is_said_of_what_is_not_given(tmp_path: Path) -> None:
    assert parse(tmp_path).sites[0].transport == parse(tmp_path, proxy=None).sites[0].transport == Transport()


def test_what_this_libcurl_cannot_do_is_refused_by_name(tmp_path: Path) -> None:
    if pycurl.version_info()[4] & pycurl.VERSION_NTLM:
        assert parse(tmp_path, authentication="ntlm").sites[0].transport.authentication == "ntlm"
    else:
        assert problem(tmp_path, authentication="ntlm") == "authentication: ntlm is not built into this libcurl"


def test_files_of_a_client_must_belong_together(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = (Path(authority.server_file(name)) for name in ("one.test", "other.test"))
    key, certificate, encrypted = (tmp_path / name for name in ("key.pem", "certificate.pem", "encrypted.pem"))
    begin = other.read_text().index("-----BEGIN CERTIFICATE")
    key.write_text(other.read_text()[:begin])
    certificate.write_text(other.read_text()[begin:])
    encrypted.write_text(key.read_text().replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n", 1))
    for files, said in (
        ({"certificate": one.name, "key": key.name}, f"{key}: the key does not belong to the certificate"),
        ({"certificate": certificate.name}, f"{certificate}: holds no certificate with a key in PEM form, or a broken one"),
        (
            {"certificate": certificate.name, "key": encrypted.name},
            f"{encrypted}: the key is encrypted, and a monitor cannot be asked for its passphrase",
        ),
    ):
        assert problem(tmp_path, clientCertificate=files) == f"clientCertificate: {said}"
    assert parse(tmp_path, clientCertificate={"certificate": certificate.name, "key": key.name})


@pytest.mark.parametrize("value", [4.0, 6.0, "4", [4], {"4": 4}, -4, 1e300, float("nan")])
def test_nothing_but_the_numbers_4_and_6_is_a_version(tmp_path: Path, value: object) -> None:
    assert problem(tmp_path, ipVersion=value) == "ipVersion: must be 4 or 6"
