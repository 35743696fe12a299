"""The values that cross module borders: frozen, slotted, without I/O. The values of a check are in `monitoring.fields`.

Names end in units: `_ms` is integer milliseconds (a point in time counts from 1970, UTC), `_us` integer microseconds. They
are integers so that everybody can recompute each number by hand.
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
    """The state of a site, as people see it."""

    UP = "up"
    FAILING = "failing"  # the last check failed, no alert is open yet
    DOWN = "down"  # an alert is open
    RECOVERING = "recovering"  # an alert is open, the last check was good
    MAINTENANCE = "maintenance"  # somebody works on it: no alert is open, and none is raised
    UNKNOWN = "unknown"  # nothing measured for more than three intervals
    PAUSED = "paused"  # disabled in the configuration


class AlertType(StrEnum):
    """The two state changes of a site that are recorded."""

    ALERT = "alert"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response, or its beginning if it is longer than the limit (`cut`).

    `left_us` is the rest of the check's time limit. `headers` (names in lower case, in order) and `text` (the decoded body)
    are empty unless an assertion of the site needs them.
    """

    status: int
    response_us: int
    left_us: int
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    text: str = field(default="", repr=False)
    cut: bool = False


class Assertion(ABC):
    """A condition on the answers of a site: one key of its configuration. A frozen value; see `checks.assertions`."""

    __slots__ = ()
    cause: ClassVar[Cause]
    needs_headers: ClassVar[bool] = False
    needs_body: ClassVar[bool] = False

    @abstractmethod
    def failure(self, answer: Answer) -> str | None:
        """What is wrong with the answer, in words without secrets; None: nothing."""

    @abstractmethod
    def __str__(self) -> str:
        """What is expected, in words without secrets, to complete the sentence "expects ..."."""

    def impossible(self, site: "Site") -> str | None:  # noqa: ARG002 - most can always be met
        """Why no answer to this site's request can meet the condition; None: some can."""
        return None


@dataclass(frozen=True, slots=True)
class Site:
    """One website to check, with every default filled in.

    `host` identifies the site in the stores and for people: its id or, without one, its normalised URL with secrets masked.
    `masked_url` is that URL if `host` is an id, else None.
    `url`, `headers` and `body` may hold secrets, so `repr` omits them. `private_headers` are the names (in lower case) of
    headers whose values came from a variable.
    A site that is not `enabled` is not checked. `group` and `tags` are for lists and filters. `notify` names its channels
    (None: every channel whose own settings select the site). A message goes out `certificate_warning_ms` before its
    certificate expires (0: never).
    `assertions` are evaluated in their order. Unless one of them is about the status, the status must be below 400.
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
        """The URL to show to people."""
        return self.masked_url or self.host

    def has_label(self, selector: str) -> bool | None:
        """Does the selector `tag:WORD` or `group:NAME` include this site? None: the selector is of another form."""
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
    """One mark of a sparkline: response times (`p95_us` if percentiles are exact), failures and their main cause."""

    mean_us: float | None = None
    failures: int = 0
    checks: int = 0
    p95_us: int | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class SiteStats:
    """The statistics of one site in one window.

    `checks` and `covered_ms` include the checks during maintenance, of which `maintenance` and `maintenance_ms` are the
    number and the time; all other values exclude them.
    `response` is None if no available check has a response time. `phases_us` has the mean of each phase over the available
    checks in which it ran. `statuses` counts responses by status, `causes` failures by cause.
    `trend` has one bucket for each number in `windows.bucket_range`, the oldest first.
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
        """The time in which the site was either up or down: the covered time without maintenance."""
        return self.covered_ms - self.maintenance_ms

    @property
    def down_ms(self) -> int:
        return self.judged_ms - self.available_ms


@dataclass(frozen=True, slots=True)
class Downtime:
    """The sums over a site's alert window that the alert rule needs. Only `checks` includes those during maintenance.

    `ended_…` are the parts that belong to an earlier outage.
    """

    checks: int = 0
    failures: int = 0
    covered_ms: int = 0
    down_ms: int = 0
    ended_failures: int = 0
    ended_down_ms: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """The parts of a failed check that an alert needs."""

    time_ms: int
    covers_ms: int
    cause: Cause
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LastState:
    """The state of a site by its stored checks, from which a starting monitor resumes.

    `last_…` describe its last check, `last_failure_ms` is the time of the last check that failed outside of maintenance.
    `good_since_ms` and `failing_since_ms` are the beginnings of the latest unbroken runs of good and of failed checks, with
    or without maintenance. `last_maintenance_ms` is the time of the last check during maintenance. None: no such check is
    known.
    """

    last_ms: int
    last_covers_ms: int
    last_available: bool
    last_failure_ms: int | None = None
    good_since_ms: int | None = None
    failing_since_ms: int | None = None
    detail: str = ""  # of the check at `last_failure_ms`, for people
    certificate_s: int | None = None  # when its certificate expires, by the last check that looked
    last_maintenance_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """The current state of a site, and since when (None: unknown). `downtime` is that of its alert window, if known.

    A site that is unknown or paused has been so since the end of its last check.
    """

    state: State = State.UNKNOWN
    since_ms: int | None = None
    last_failure_ms: int | None = None
    detail: str = ""  # of the last failed check, for people
    certificate_s: int | None = None  # when its certificate expires, by the last check that looked
    downtime: Downtime | None = None

    @property
    def measured_until_ms(self) -> int | None:
        """The end of the last check, if it is too old to know how the site is; None: it is known, or never was."""
        return self.since_ms if self.state in {State.UNKNOWN, State.PAUSED} else None


@dataclass(frozen=True, slots=True)
class Alert:
    """A state change of a site, recorded once.

    `time_ms` is the time of the decision, `start_ms` the first failed check of the outage, `end_ms` the first good check
    after its last failure (recoveries only), `availability` the percentage in the window, `cause` the cause with the most
    downtime, `detail` the newest reason for it. A recovery without `end_ms` means that the site is no longer watched.
    `location` is set only for reports on several locations; a store belongs to one location and does not keep it.
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
        """Did the outage end because its site is no longer watched?"""
        return self.type is AlertType.RECOVERY and self.end_ms is None

    @property
    def outage_end_ms(self) -> int:
        """The end of the outage, for a recovery: the first good check or, if there is none, the time of the record."""
        return self.time_ms if self.end_ms is None else self.end_ms
