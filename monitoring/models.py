"""The values that cross module borders: frozen, slotted, without I/O. Those of a check are in `monitoring.fields`.

Units are in the names: `_ms` is integer milliseconds (of UTC since 1970 where it is a moment), `_us` integer
microseconds. Integers, because every number shown must be recomputable by hand: no sum of floats decides anything.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from monitoring.fields import PHASES as PHASES  # noqa: PLC0414 - whoever needs values finds them here
from monitoring.fields import Cause as Cause  # noqa: PLC0414 - whoever needs values finds them here
from monitoring.fields import CheckResult as CheckResult  # noqa: PLC0414 - whoever needs values finds them here
from monitoring.fields import ProbeResult as ProbeResult  # noqa: PLC0414 - whoever needs values finds them here
from monitoring.thresholds import USUAL, Rule
from monitoring.transport import PLAIN, Transport


class State(StrEnum):
    """What people see of a site at a glance."""

    UP = "up"
    FAILING = "failing"  # the last check failed, no alert is open yet
    DOWN = "down"  # an alert is open
    RECOVERING = "recovering"  # an alert is open, the last check was good
    MAINTENANCE = "maintenance"  # no alert is open, and none is raised: somebody works on it
    UNKNOWN = "unknown"  # nothing measured for more than three intervals
    PAUSED = "paused"  # not checked, because the configuration says so


class AlertType(StrEnum):
    """The two state changes of a site that are recorded."""

    ALERT = "alert"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that came whole, or up to the cap (`cut`).

    `left_us` is what remains of the check's time. `headers` (names in lower case, in order) and `text`, the body in its
    charset, are there only when an assertion of the site needs them.
    """

    status: int
    response_us: int
    left_us: int
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    text: str = field(default="", repr=False)
    cut: bool = False


class Assertion(ABC):
    """What a site expects of its answers under one key of the configuration; a frozen value. See `checks.assertions`."""

    __slots__ = ()
    cause: ClassVar[Cause]
    needs_headers: ClassVar[bool] = False
    needs_body: ClassVar[bool] = False

    @abstractmethod
    def failure(self, answer: Answer) -> str | None:
        """What is wrong with the answer, for people and without a secret of the configuration; None: nothing."""

    @abstractmethod
    def __str__(self) -> str:
        """What is expected, for people and without a secret; it ends the sentence "expects ..."."""

    def impossible(self, site: "Site") -> str | None:  # noqa: ARG002 - most can always be met
        """Why no answer to this site's request can ever meet it; None: some can."""
        return None


@dataclass(frozen=True, slots=True)
class Site:
    """One website to check, complete: every default is filled in.

    `host` names it in the stores and for people: its id, or, where it has none, its normalised URL with secrets masked.
    `masked_url` is that URL where `host` is an id, else None.
    `url`, `headers` and `body` may hold secrets and are kept out of `repr`. `private_headers` are the names (in lower case)
    of headers whose values came from a variable.
    A site that is not `enabled` is not checked. `group` and `tags` are for lists and filters. `notify` names its channels
    (None: those that ask for it). People are told `certificate_warning_ms` before its certificate expires (0: never).
    `assertions` stand in the order in which they are judged; without one on the status it must be below 400.
    """

    host: str
    url: str = field(repr=False)
    name: str | None = None
    enabled: bool = True
    group: str | None = None
    tags: tuple[str, ...] = ()
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    private_headers: tuple[str, ...] = ()
    body: bytes | None = field(default=None, repr=False)
    interval_ms: int = 2_000
    timeout_ms: int = 10_000
    follow_redirects: bool = True
    verify_tls: bool = True
    transport: Transport = PLAIN
    assertions: tuple[Assertion, ...] = field(default=(), repr=False)
    rule: Rule = USUAL
    masked_url: str | None = None
    notify: tuple[str, ...] | None = None
    certificate_warning_ms: int = 14 * 86_400_000

    @property
    def address(self) -> str:
        """Its URL for people."""
        return self.masked_url or self.host

    def has_label(self, selector: str) -> bool | None:
        """Does `tag:WORD` or `group:NAME` stand for it? None: the selector is neither."""
        kind, _, word = selector.partition(":")
        return word in self.tags if kind == "tag" else word == self.group if kind == "group" else None


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open span of time `[from_ms, until_ms)`."""

    from_ms: int
    until_ms: int

    @property
    def length_ms(self) -> int:
        return self.until_ms - self.from_ms

    @classmethod
    def before(cls, until_ms: int, length_ms: int) -> "Window":
        return cls(until_ms - length_ms, until_ms)


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """Response times in microseconds over the available checks of a window; percentiles by nearest rank.

    In a window longer than a day a percentile is the middle of its bucket (`monitoring.statistics.sketch`): within 1 %.
    """

    mean_us: float
    min_us: int
    max_us: int
    p50_us: int
    p95_us: int
    p99_us: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """One mark of a sparkline: of response times (`p95_us` where percentiles are exact), and the cause of most failures."""

    mean_us: float | None = None
    failures: int = 0
    checks: int = 0
    p95_us: int | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class SiteStats:
    """The statistics of one site in one window.

    Of `checks` and `covered_ms`, `maintenance` and `maintenance_ms` were made during maintenance, which counts nowhere else.
    `response` is None and `phases_us` lacks a phase when no available check had them. `phases_us` are means over the
    available checks in which the phase happened. `statuses` counts responses by status, `causes` failures by cause.
    `trend` holds a bucket for each of `windows.bucket_range`, oldest first.
    """

    host: str
    checks: int = 0
    available: int = 0
    covered_ms: int = 0
    available_ms: int = 0
    response: ResponseTimes | None = None
    phases_us: Mapping[str, float] = field(default_factory=dict)
    statuses: Mapping[int, int] = field(default_factory=dict)
    causes: Mapping[Cause, int] = field(default_factory=dict)
    last_failure_ms: int | None = None
    trend: tuple[Bucket, ...] = ()
    maintenance: int = 0
    maintenance_ms: int = 0

    @property
    def judged_ms(self) -> int:
        """The time that is up or down: what is covered without maintenance."""
        return self.covered_ms - self.maintenance_ms

    @property
    def down_ms(self) -> int:
        return self.judged_ms - self.available_ms


@dataclass(frozen=True, slots=True)
class Downtime:
    """What the alert rule needs to know about a site's window; maintenance counts in `checks` alone.

    `ended_…` is the part that belongs to an earlier outage.
    """

    checks: int = 0
    failures: int = 0
    covered_ms: int = 0
    down_ms: int = 0
    ended_failures: int = 0
    ended_down_ms: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed check as an alert needs it."""

    time_ms: int
    covers_ms: int
    cause: Cause
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LastState:
    """What a site's stored checks say about its state; a monitor that starts goes on from here.

    `last_…` is its last check, `last_failure_ms` the time of the last failed one. `good_since_ms` and `failing_since_ms` are
    when the latest unbroken runs of good and of failed checks began, maintenance or not. `last_maintenance_ms` is the last
    check made during maintenance. None: no such check is known.
    """

    last_ms: int
    last_covers_ms: int
    last_available: bool
    last_failure_ms: int | None = None
    good_since_ms: int | None = None
    failing_since_ms: int | None = None
    detail: str = ""  # what the last failed check said, for people
    certificate_s: int | None = None  # when its certificate expires, by the last check that looked
    last_maintenance_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """A site's state now, and since when (None: unknown). `downtime` is that of its alert window, where it is known."""

    state: State = State.UNKNOWN
    since_ms: int | None = None
    last_failure_ms: int | None = None
    detail: str = ""  # what the last failed check said, for people
    certificate_s: int | None = None  # when its certificate expires, by the last check that looked
    downtime: Downtime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A state change of a site, recorded once.

    `time_ms` is the moment the rule decided, `start_ms` the first failed check of the outage, `end_ms` the first good
    check after its last failure (recoveries only), `availability` percent of the window, `cause` the one with the
    most seconds, `detail` the newest reason that was given for it. A recovery without `end_ms`: the site is no longer
    watched. `location` is filled in for people who read of several; a store is of one, and does not keep it.
    """

    type: AlertType
    host: str
    time_ms: int
    start_ms: int
    end_ms: int | None
    availability: float
    cause: Cause | None
    location: str = ""
    detail: str = ""

    @property
    def is_unwatched(self) -> bool:
        """Did an outage end because its site is no longer watched?"""
        return self.type is AlertType.RECOVERY and self.end_ms is None

    @property
    def over_ms(self) -> int:
        """Of a recovery: when the outage was over, as far as is known."""
        return self.time_ms if self.end_ms is None else self.end_ms
