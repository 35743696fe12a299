"""The summaries that a monitor sends of its checks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from monitoring.models import CheckResult
from monitoring.statistics.summary import SiteSummary, Span, Summary


def summaries_of(checks: Iterable[CheckResult], spans: Sequence[Span] = tuple(Span)) -> list[SiteSummary]:
    """Those of every span that has one of these checks, by the pure functions."""
    by_span: defaultdict[tuple[Span, int, str], list[CheckResult]] = defaultdict(list)
    for check in checks:
        for span in spans:
            by_span[span, span.start_of(check.time_ms), check.host].append(check)
    return [
        SiteSummary(host, span, start_ms, Summary.of(own) if span is Span.MINUTE else Summary.of(own).with_sketch())
        for (span, start_ms, host), own in by_span.items()
    ]
