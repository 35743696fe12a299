"""What sending has in hand: a request that was refused is gone before its parts are sent."""

import weakref

from monitoring.errors import StoreRefused
from monitoring.models import CheckResult
from monitoring.storage.base import Points
from monitoring.storage.delivery.sending import send


class Request:
    """Megabytes."""


def check(at_ms: int) -> CheckResult:
    return CheckResult("a", at_ms, 2_000, 0, 200, 5, (1, 1, 1, 1, 1))


def test_a_refused_request_is_not_kept_while_its_parts_are_sent() -> None:
    """Else one point of thousands that a database objects to is looked for with ever more of them in memory."""
    seen: list[weakref.ref[Request]] = []

    def write(points: Points) -> None:
        assert not [request for request in seen if request()]
        request = Request()
        seen.append(weakref.ref(request))
        if any(point.time_ms == 5 for point in points.checks):
            raise StoreRefused("one of them is not taken")

    (refusal,) = send(write, "checks", [check(at_ms) for at_ms in range(8)])
    assert (refusal.first_ms, refusal.count, len(seen)) == (5, 1, 7)
