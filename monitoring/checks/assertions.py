"""The assertions on an answer, one class for each key of the configuration. Pure, except for the time limit of patterns.

A new assertion is a class in this module and a line in `config.keys.assertions`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.models import Answer, Assertion, Cause, Site

BODY_CAP = 1 << 20
"""How many bytes of a decompressed body are read."""

MIN_SEARCH_SECONDS = 0.05
"""How long a pattern may search even if the transfer used up the whole time-out."""

LONGEST_VALUE = 60
"""How many characters of an unexpected value a message shows."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses that browsers follow; 300 and 304 are ordinary answers."""

_NOT_IN_HTTP_2 = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
_BODILESS = frozenset({204, 304})
_FIRST_FINAL_STATUS = 200
_SECRET_HEADERS = frozenset({"set-cookie"})
_US_PER_SECOND = 1_000_000
_MOST_DIGITS = 4_000
"""Of an integer; Python refuses to read much longer ones."""


def in_force(site: Site) -> tuple[Assertion, ...]:
    """The assertions of a site in the order in which they are checked; one on the status is always among them."""
    return site.assertions if _statuses(site.assertions) else (BELOW_400, *site.assertions)


def judge(assertions: Sequence[Assertion], answer: Answer) -> tuple[Cause, str] | None:
    """The first assertion that an answer fails: its cause, and a sentence for people. None if it passes all."""
    for assertion in assertions:
        if failure := assertion.failure(answer):
            return assertion.cause, failure
    return None


@dataclass(frozen=True, slots=True)
class ExpectedStatus(Assertion):
    """The status lies in one of `ranges`, which include both ends."""

    ranges: tuple[tuple[int, int], ...]

    cause = Cause.STATUS

    def failure(self, answer: Answer) -> str | None:
        for low, high in self.ranges:
            if low <= answer.status <= high:
                return None
        return f"status {answer.status}"

    def impossible(self, site: Site) -> str | None:
        final = _final(self.ranges)
        if not final:
            return "can never be met: a status below 200 is interim, another one follows"
        if site.follow_redirects and final <= REDIRECTS:
            return 'can never be met: redirects are followed; "followRedirects": false takes them for the answer'
        return None

    def __str__(self) -> str:
        if self == BELOW_400:
            return "a status below 400"
        return f"status {' or '.join(str(low) if low == high else f'{low}-{high}' for low, high in self.ranges)}"


BELOW_400 = ExpectedStatus(((0, 399),))


class _OfBody(Assertion):
    """An assertion on the body."""

    __slots__ = ()
    cause = Cause.CONTENT
    needs_body = True

    def impossible(self, site: Site) -> str | None:
        if site.method == "HEAD":
            return "can never match: the answer to HEAD has no body"
        ends = _final(_statuses(site.assertions)) - (REDIRECTS if site.follow_redirects else frozenset())
        if ends and ends <= _BODILESS:
            return "can never match: an answer with the expected status has no body"
        return None


@dataclass(frozen=True, slots=True)
class ExpectedText(_OfBody):
    """The body contains all of `texts`."""

    texts: tuple[str, ...] = field(repr=False)

    def failure(self, answer: Answer) -> str | None:
        missing = next((place for place, text in enumerate(self.texts, 1) if text not in answer.text), None)
        return f"expected text{_which(missing, self.texts)} not found" if missing else None

    def impossible(self, site: Site) -> str | None:
        if any(len(text) > BODY_CAP for text in self.texts):
            return f"can never match: it is longer than the {BODY_CAP >> 20} MiB of a body that are read"
        return _OfBody.impossible(self, site)

    def __str__(self) -> str:
        return "its text" if len(self.texts) == 1 else f"its {len(self.texts)} texts"


@dataclass(frozen=True, slots=True)
class ForbiddenText(_OfBody):
    """The body contains none of `texts`."""

    texts: tuple[str, ...] = field(repr=False)

    def failure(self, answer: Answer) -> str | None:
        there = next((place for place, text in enumerate(self.texts, 1) if text in answer.text), None)
        return f"forbidden text{_which(there, self.texts)} found" if there else None

    def impossible(self, site: Site) -> str | None:
        expected = [text for other in site.assertions if isinstance(other, ExpectedText) for text in other.texts]
        if any(forbidden in text for forbidden in self.texts for text in expected):
            return "can never be met: expectedText holds it"
        return _OfBody.impossible(self, site)

    def __str__(self) -> str:
        return "no forbidden text"


@dataclass(frozen=True, slots=True)
class ExpectedPattern(_OfBody):
    """The regular expression matches somewhere in the body."""

    pattern: str = field(repr=False)

    def failure(self, answer: Answer) -> str | None:
        return _pattern_failure("expected pattern", self.pattern, (answer.text,), answer.left_us)

    def __str__(self) -> str:
        return "its pattern"


@dataclass(frozen=True, slots=True)
class ExpectedHeaders(Assertion):
    """For each pair of header name and regular expression, the expression matches in one of the header's values."""

    patterns: tuple[tuple[str, str], ...] = field(repr=False)

    cause = Cause.CONTENT
    needs_headers = True

    def failure(self, answer: Answer) -> str | None:
        return next(filter(None, self._failures(answer)), None)

    def _failures(self, answer: Answer) -> Iterator[str | None]:
        for name, pattern in self.patterns:
            values = [value for known, value in answer.headers if known == name.lower()]
            shown = "" if name.lower() in _SECRET_HEADERS else f": {_cut(', '.join(values))}"
            failure = _pattern_failure(f"expected pattern of header {name}", pattern, values, answer.left_us)
            yield f"no header {name}" if not values else failure and failure + shown

    def impossible(self, site: Site) -> str | None:
        if site.transport.http_version == "2":
            for name, _ in self.patterns:
                if name.lower() in _NOT_IN_HTTP_2:
                    return f"can never be met: HTTP/2 has no header {name}"
        return None

    def __str__(self) -> str:
        names = [name for name, _ in self.patterns]
        return f"its header{'' if len(names) == 1 else 's'} {', '.join(names)}"


@dataclass(frozen=True, slots=True)
class ExpectedJSON(_OfBody):
    """The body is JSON, and each JMESPath expression has the given value there; None: null or absent."""

    values: tuple[tuple[str, Any], ...] = field(repr=False, hash=False)
    _compiled: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        import jmespath

        object.__setattr__(self, "_compiled", tuple(jmespath.compile(expression) for expression, _ in self.values))

    def failure(self, answer: Answer) -> str | None:
        try:
            data = json.loads(answer.text, parse_int=_number)
        except (ValueError, RecursionError) as error:
            return f"longer than the {BODY_CAP >> 20} MiB that are read" if answer.cut else f"not JSON: {error}"
        return next(filter(None, map(self._failure, self.values, self._compiled, [data] * len(self.values))), None)

    @staticmethod
    def _failure(wanted: tuple[str, Any], compiled: Any, data: object) -> str | None:
        expression, value = wanted
        try:
            found = compiled.search(data)
        except ValueError as error:  # for example a number that is too long
            return f"{_cut(expression)}: {error}"
        return None if _same(found, value) else f"{_cut(expression)} is {_cut(json.dumps(found, ensure_ascii=False))}"

    def __str__(self) -> str:
        return f"JSON with its {'value' if len(self.values) == 1 else f'{len(self.values)} values'}"


@dataclass(frozen=True, slots=True)
class MaxResponseTime(Assertion):
    """The response time is at most `limit_us` microseconds."""

    limit_us: int

    cause = Cause.SLOW

    def failure(self, answer: Answer) -> str | None:
        if answer.response_us <= self.limit_us:
            return None
        took_ms = -(-answer.response_us // 1000)  # rounded up: never "took 2.5 s, limit 2.5 s"
        return f"took {took_ms / 1000:g} s, limit {self.limit_us / _US_PER_SECOND:g} s"

    def impossible(self, site: Site) -> str | None:
        if self.limit_us > site.timeout_ms * 1000:
            return f"can never be exceeded: the timeout is {site.timeout_ms / 1000:g} s"
        return None

    def __str__(self) -> str:
        return f"an answer within {self.limit_us / _US_PER_SECOND:g} s"


def _statuses(assertions: Sequence[Assertion]) -> tuple[tuple[int, int], ...]:
    return next((assertion.ranges for assertion in assertions if isinstance(assertion, ExpectedStatus)), ())


def _final(ranges: Sequence[tuple[int, int]]) -> frozenset[int]:
    """The statuses in these ranges that are final, not interim."""
    return frozenset(status for low, high in ranges for status in range(max(low, _FIRST_FINAL_STATUS), high + 1))


def _which(place: int | None, texts: Sequence[str]) -> str:
    """Which text, by number: it is not quoted because it may hold a secret from a variable."""
    return "" if len(texts) == 1 else f" {place} of {len(texts)}"


def _pattern_failure(what: str, pattern: str, texts: Sequence[str], left_us: int) -> str | None:
    """Why the pattern matches in none of the texts; None if it matches in one."""
    import regex

    seconds = max(MIN_SEARCH_SECONDS, left_us / _US_PER_SECOND)
    try:
        # `concurrent` lets the other checks run meanwhile; `regex` keeps compiled patterns.
        found = any(regex.search(pattern, text, timeout=seconds, concurrent=True) for text in texts)
    except TimeoutError:
        return f"{what} took more than {seconds:.3g} s to search for"
    return None if found else f"{what} not found"


def _number(digits: str) -> float:
    """An integer of JSON. Python refuses thousands of digits, which browsers read as infinity."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _same(found: object, wanted: object) -> bool:
    """Whether two values are equal as JSON: true is not 1, but 1 is 1.0."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[key], wanted[key]) for key in wanted)
    return found == wanted


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
