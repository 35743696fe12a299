"""A local file that can be made to fail."""

from collections.abc import Sequence

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult
from monitoring.storage.sqlite.store import LocalStore


class FailingFile(LocalStore):
    """Every commit and every step of maintenance raises `trouble`."""

    trouble: StoreError | None = None

    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:
        if self.trouble:
            raise self.trouble
        super().append(checks, alerts, now_ms)

    def maintain(self, now_ms: int) -> bool:
        if self.trouble:
            raise self.trouble
        return super().maintain(now_ms)
