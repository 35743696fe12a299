"""What the tests of the gateway share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from werkzeug.test import Client

from monitoring.gateway.certificate import TlsFiles
from monitoring.storage.sqlite.database import SharedFile
from tests.support.gateway import HOST
from tests.support.gateway_application import Database, client_of


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    file = SharedFile(tmp_path / "gateway.db")
    yield Database(file)
    file.close()


@pytest.fixture
def client(database: Database) -> Client:
    return client_of(database)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[TlsFiles, str]:
    """A gateway's files, and whom its clients must trust."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    files = TlsFiles(tmp_path / "gateway.pem", tmp_path / "gateway.key")
    issued.private_key_pem.write_to_path(files.key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files.certificate, append=True)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return files, str(tmp_path / "ca.pem")
