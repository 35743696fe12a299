"""What tests of a channel share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.notifying import Desk, site


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A channel of a monitor of two sites, shop and blog."""
    with Desk(tmp_path / "monitor.db", [site("shop"), site("blog")]) as opened:
        yield opened
