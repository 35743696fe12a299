"""The gateway against its own description: whatever fits it is answered as it says, whatever does not is refused so.

Tokens are left out: what is tried here is what comes after them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from monitoring.clock import SystemClock
from monitoring.gateway.application import make_application
from monitoring.gateway.databases import Databases
from monitoring.gateway.description import description
from monitoring.gateway.limits import Limits
from monitoring.models import Alert, AlertType, Cause, CheckResult
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import SharedFile
from tests.support.gateway import NO_TOKENS
from tests.support.results import START_MS
from tests.support.summaries import summaries_of

CHECK = CheckResult("a", START_MS, 2_000, 7, 200, 9, (1, None, 3, 4, 1))
ALERTS = [
    Alert(AlertType.ALERT, "a", START_MS, START_MS, None, 50.0, Cause.DNS),
    Alert(AlertType.RECOVERY, "b", START_MS, START_MS, START_MS, 80.0, None),
]

PLAIN = {"Accept-Encoding": "identity"}

INEXPRESSIBLE = [positive_data_acceptance]
"""That a window has two ends or a length, and what sums of checks keep to, no schema can say: those may be refused."""


def open_description() -> dict[str, Any]:
    """The description without tokens."""
    found = description()
    for methods in found["paths"].values():
        for operation in methods.values():
            operation["security"] = []
    return found


OPERATIONS = {
    f"{method} {path}": (path, method.upper(), bool(operation.get("parameters") or operation.get("requestBody")))
    for path, methods in open_description()["paths"].items()
    for method, operation in methods.items()
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    file = SharedFile(tmp_path_factory.mktemp("gateway") / "gateway.db")
    checks = [CHECK, replace(CHECK, time_ms=START_MS + 1, cause=Cause.DNS, status=0)]
    file.open().write(Points(checks, ALERTS, summaries_of(checks)))
    schema = schemathesis.openapi.from_dict(open_description())
    refusals = schema.config.checks.negative_data_rejection
    refusals.expected_statuses = [*refusals.expected_statuses, "413"]  # what is too large is refused as such
    schema.app = make_application(Databases(file.open, 100), NO_TOKENS, Limits(burst=10**9), SystemClock())
    yield schema
    file.close()


def fuzz(operation: Any, mode: GenerationMode) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(headers=PLAIN, excluded_checks=INEXPRESSIBLE)

    ask()


@pytest.mark.parametrize(("path", "method", "asks"), OPERATIONS.values(), ids=OPERATIONS)
def test_what_fits_is_answered_as_described(api: Any, path: str, method: str, asks: bool) -> None:
    fuzz(api[path][method], GenerationMode.POSITIVE)


WITH_INPUT = {name: operation for name, operation in OPERATIONS.items() if operation[2]}


@pytest.mark.parametrize(("path", "method", "asks"), WITH_INPUT.values(), ids=WITH_INPUT)
def test_what_does_not_fit_is_refused_as_described(api: Any, path: str, method: str, asks: bool) -> None:
    fuzz(api[path][method], GenerationMode.NEGATIVE)
