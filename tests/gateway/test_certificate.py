"""The certificate of a gateway is replaced under it, and expires."""

import os
import shutil
import signal
import socket
import ssl
from pathlib import Path

import pytest
from trustme import KeyType

from monitoring.gateway.certificate import LOOKS_PER_DATE_CHECK, ServedCertificate, TlsFiles
from tests.support.certificates import Authority
from tests.support.gateway import HOST, Gateway
from tests.support.monitor import wait_for, write_config


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return TlsFiles(tmp_path / "served.pem", tmp_path / "served.pem")


def renew(files: TlsFiles, folder: Path, *, expired: bool = False, key: KeyType = KeyType.ECDSA) -> str:
    """Put another certificate into place; the file of the authority that signed it."""
    folder.mkdir(exist_ok=True)
    authority = Authority(folder)
    made = Path(authority.server_file(HOST, expired=expired, key=key))
    other = files.certificate.with_suffix(".new")
    shutil.copy(made, other)
    os.replace(other, files.certificate)
    return authority.ca_file


def is_trusted(port: int, ca_file: str) -> bool:
    """Does a new connection shake hands with somebody who trusts only this authority?"""
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with socket.create_connection((HOST, port), 10) as sock, context.wrap_socket(sock, server_hostname=HOST):
            return True
    except ssl.SSLError:
        return False


@pytest.mark.parametrize("hang_up", [False, True], ids=["", "SIGHUP"])
def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path, files: TlsFiles, hang_up: bool) -> None:
    """A half of a pair is not used; an expired one is served, and said."""
    first = renew(files, tmp_path / "first")
    with Gateway(write_config(tmp_path, ["http://127.0.0.1:1"]), files.certificate, files.key) as gateway:
        gateway.wait_until_it_serves()
        assert is_trusted(gateway.port, first)
        files.certificate.write_text("half")
        gateway.until(lambda it: any("the certificate stays as it was" in line for line in it.errors))
        assert is_trusted(gateway.port, first)
        second = renew(files, tmp_path / "second")
        if hang_up:
            os.kill(gateway.pid, signal.SIGHUP)
        wait_for(lambda: is_trusted(gateway.port, second), "the new certificate")
        assert not is_trusted(gateway.port, first)
        renew(files, tmp_path / "third", expired=True)
        gateway.until(lambda it: any("certificate has expired: clients refuse it" in line for line in it.errors))
        assert gateway.terminate() == 0
    assert [line.rpartition(": ")[2] for line in gateway.errors[1:]] == [
        "the new certificate is served",
        "the new certificate is served",
        "clients refuse it",
    ]


def test_the_certificate_before_is_not_served_on_beside_one_with_another_kind_of_key(
    tmp_path: Path, files: TlsFiles
) -> None:
    """OpenSSL keeps one certificate a kind of key, and most clients prefer the one with an elliptic curve."""
    renew(files, tmp_path / "first", key=KeyType.ECDSA)
    with Gateway(write_config(tmp_path, ["http://127.0.0.1:1"]), files.certificate, files.key) as gateway:
        gateway.wait_until_it_serves()
        for key in (KeyType.RSA, KeyType.ECDSA, KeyType.RSA):
            authority = renew(files, tmp_path / "next", key=key)
            wait_for(lambda authority=authority: is_trusted(gateway.port, authority), "the new certificate")


def test_a_certificate_that_has_expired_is_said_at_the_start_and_once(tmp_path: Path, files: TlsFiles) -> None:
    renew(files, tmp_path / "first", expired=True)
    said: list[str] = []
    served = ServedCertificate(files, said.append)
    for _ in range(3 * LOOKS_PER_DATE_CHECK):
        served.look()
    assert said == [f"warning: --tls-cert {files.certificate}: certificate has expired: clients refuse it"]


def test_one_that_expires_while_it_is_served_is_said(
    tmp_path: Path, files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew(files, tmp_path / "first")
    said: list[str] = []
    served = ServedCertificate(files, said.append)
    monkeypatch.setattr("monitoring.gateway.certificate.why_out_of_date", lambda _: "certificate has expired")
    for _ in range(LOOKS_PER_DATE_CHECK):
        served.look()
    assert [line.endswith("certificate has expired: clients refuse it") for line in said] == [True]
