"""Whether an answer that came is the one that was expected. Pure, but for the time limit of a pattern."""

from dataclasses import dataclass, field

import regex

from monitoring.checks.charset import decode
from monitoring.checks.failure import Fault
from monitoring.models import Cause, Site

MIN_SEARCH_SECONDS = 0.05
"""What a pattern may take even when the transfer used up the whole time-out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that came whole, or up to the cap. `left_us` is what remains of the check's time."""

    status: int
    response_us: int
    left_us: int
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)


def needs_body(site: Site) -> bool:
    """Whether the body must be kept to judge it."""
    return site.expected_text is not None or site.expected_pattern is not None


def judge(site: Site, answer: Answer) -> Fault | None:
    """The first thing that is wrong: status before content before slow."""
    return _status_fault(site, answer.status) or _content_fault(site, answer) or _slow_fault(site, answer.response_us)


def _status_fault(site: Site, status: int) -> Fault | None:
    ranges = site.expected_status or ((0, 399),)
    if any(low <= status <= high for low, high in ranges):
        return None
    return Fault(Cause.STATUS, f"status {status}")


def _content_fault(site: Site, answer: Answer) -> Fault | None:
    if not needs_body(site):
        return None
    text = decode(answer.body, answer.content_type)
    if site.expected_text is not None and site.expected_text not in text:
        return Fault(Cause.CONTENT, "expected text not found")
    if site.expected_pattern is not None:
        return _pattern_fault(site.expected_pattern, text, answer.left_us)
    return None


def _pattern_fault(pattern: str, text: str, left_us: int) -> Fault | None:
    seconds = max(MIN_SEARCH_SECONDS, left_us / 1_000_000)
    try:
        # `concurrent` lets the other checks run meanwhile; `regex` keeps compiled patterns.
        found = regex.search(pattern, text, timeout=seconds, concurrent=True)
    except TimeoutError:
        return Fault(Cause.CONTENT, f"expected pattern took more than {seconds:.3g} s to search for")
    return None if found else Fault(Cause.CONTENT, "expected pattern not found")


def _slow_fault(site: Site, response_us: int) -> Fault | None:
    if site.max_response_us is None or response_us <= site.max_response_us:
        return None
    took_ms = -(-response_us // 1000)  # rounded up: never "took 2.5 s, limit 2.5 s"
    return Fault(Cause.SLOW, f"took {took_ms / 1000:g} s, limit {site.max_response_us / 1_000_000:g} s")
