"""What the tests of the gateway share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from monitoring.storage.sqlite.database import SharedFile
from tests.support.gateway_application import Database, client_of


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    file = SharedFile(tmp_path / "gateway.db")
    yield Database(file)
    file.close()


@pytest.fixture
def client(database: Database) -> Client:
    return client_of(database)
