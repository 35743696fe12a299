"""What a person sees while a purge deletes: how much of it is done."""

from contextlib import closing
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.commands.oneshot.purge_file import LocalFilePurge, share_text
from monitoring.config import load_config
from monitoring.display.output.progress import Progress
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.monitor import local_file, write_config
from tests.support.points import START_MS, checks

CHECKS = 30_000


class Heard(Progress):
    def __init__(self) -> None:
        super().__init__("deleting")
        self.texts: list[str] = []

    def tell(self, what: str, how_far: str = "") -> None:
        self.texts.append(f"{what}, {how_far}")


@pytest.mark.parametrize("site", [None, "http://a"])
def test_the_share_that_is_deleted_rises(tmp_path: Path, site: str | None) -> None:
    config = write_config(tmp_path, ["http://a", "http://b"])
    with closing(LocalStore(local_file(config))) as store:
        for host in ("http://a", "http://b"):
            store.append(checks(range(CHECKS // 2), host), [], START_MS)
    local, heard = LocalFilePurge(load_config(config, {}), None, SystemClock()), Heard()
    request = Request(site, START_MS + 10**9, forget=True)
    count = local.preview(request).checks
    local.delete(request, None, heard, count, deferred=False)
    steps = [text.partition(", ")[2] for text in heard.texts if "%" in text]
    shares = [int(step.partition(" ")[0]) for step in steps]
    assert shares == sorted(shares)
    assert len(set(shares)) > 3
    assert all(step.endswith(f" % of {count:,} checks") for step in steps)
    assert heard.texts[-1] == "deleting from config.db, summaries and alerts"


def test_what_has_no_checks_is_counted_in_rows() -> None:
    assert share_text(1_200, 0) == "1,200 rows"
