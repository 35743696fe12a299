"""Every sentence about the state of storage, so that header, `-p`, stderr, systemd and closing screen say the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from monitoring.display.words import duration_text, plural, window_text
from monitoring.storage.base import Pending, Refusal
from monitoring.storage.delivery.pace import Pace

AS_CONFIGURED = "as configured"
NOT_ASKED_YET = "the database has not been asked yet"


@dataclass(frozen=True, slots=True)
class Source:
    """The store that is read ("influxdb", "local" or "gateway"), and why, in words."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Something about storage that a person should know while it lasts.

    `text` is shown with the state, and may hold counts. It is reported when the condition begins and when `reason` changes.
    `over` is reported when it ends ("": it does not end). `is_why`: `Source.why` says the same.
    """

    topic: str
    text: str
    reason: str
    over: str = ""
    is_why: bool = False


class ConditionLog:
    """Reports each condition once when it begins, when its reason changes and when it ends."""

    def __init__(self) -> None:
        self._known: Mapping[str, Condition] = {}

    def news(self, conditions: Iterable[Condition]) -> Sequence[str]:
        """What to report now, when these conditions hold."""
        now = {condition.topic: condition for condition in conditions}
        begun = [it.text for topic, it in now.items() if topic not in self._known or self._known[topic].reason != it.reason]
        ended = [it.over for topic, it in self._known.items() if topic not in now and it.over]
        self._known = now
        return [*ended, *begun]


# Why the local file is read, or the database


def stored_text(file_name: str) -> str:
    """There is no database, and none was configured."""
    return f"stored in {file_name}"


def complete_text(database: str) -> str:
    return f"{database} has received everything so far"


def behind_text(database: str, pending: Pending, pace: Pace | None = None) -> str:
    """With the pace where it is known, so that people know how long it will take."""
    waiting = (
        plural(pending.points, "point") if pending.points or not pending.summaries else summaries_text(pending.summaries)
    )
    left = f": {pace.per_s} a second, about {duration_text(pace.left_s * 1_000)} left" if pace and pace.per_s else ""
    return f"{database} has yet to receive {waiting}{left}"


def summaries_text(count: int) -> str:
    return "1 summary" if count == 1 else f"{count} summaries"


def slow_text(database: str) -> str:
    return f"{database} answers too slowly"


def slow_windows_text(lengths_ms: Iterable[int]) -> str:
    """It answers in time, except about windows of these lengths."""
    return f"but answers too slowly about the {' and the '.join(map(window_text, lengths_ms))}: from the local file"


def lacking_text(database: str, refused: int, time: str = "this time") -> str:
    """It has not all points of this time, which is that of the window shown unless another is named."""
    return f"{database} lacks {plural(refused, 'point')} of {time}, which it refused"


def lost_text(database: str) -> str:
    return f"{database} has lost points that it had"


# Conditions


def unwritten_text(why: str, waiting: int, dropped: int) -> str:
    lost = f", {dropped} lost" if dropped else ""
    return f"{why}; {_points_wait(waiting)} in memory{lost}"


def unwritten(trouble: str) -> Condition:
    return Condition("file", f"checks cannot be written: {trouble}", "unwritten", "checks are written again", is_why=True)


def not_maintained(why: str) -> Condition:
    text = f"the local file is neither summarised nor tidied: {why}"
    return Condition("maintenance", text, why, "the local file is summarised and tidied again")


def unconverted(length_ms: int, pace: Pace | None = None) -> Condition:
    """Checks in the format of 1.1.0 are converted while the monitor runs. Nothing is wrong meanwhile."""
    left = f", about {duration_text(pace.left_s * 1_000)} left" if pace else ""
    text = f"converting the checks of 1.1.0 in the background: those of {duration_text(length_ms)} are left{left}"
    return Condition("conversion", text, "1.1.0", "all checks of 1.1.0 are converted")


def backlog(database: str, why: str) -> Condition:
    """So many points wait that their delivery takes a while; `why` is `behind_text`."""
    return Condition("backlog", why, "backlog", complete_text(database), is_why=True)


def unreachable(database: str, why: str, pending: Pending) -> Condition:
    """`why` names the database already."""
    return Condition("database", f"{why}; {_waiting(pending)}", why, f"{database} is there again", is_why=True)


def _waiting(pending: Pending) -> str:
    if not pending.points:
        return "everything is kept in the local file"
    return f"{_points_wait(pending.points)} in the local file"


def elsewhere(written: Path, home: Path) -> Condition:
    """The monitor does not write the configured file."""
    return Condition(
        "elsewhere", f"the running monitor keeps its checks in {written} until it can write {home}", str(written)
    )


def refused(database: str, refusals: Sequence[Refusal]) -> Iterable[Condition]:
    """What a database refused: by type or limit, and by age."""
    by_field = attrgetter("by_age", "field")
    for (by_age, field), alike in groupby(sorted(refusals, key=by_field), by_field):
        found = list(alike)
        count = sum(refusal.count for refusal in found)
        if by_age:
            text = f"{database} keeps nothing that old: it dropped {plural(count, 'point')}; they stay in the local file"
            yield Condition("aged", text, "aged")
        else:
            they = f"{plural(count, 'point')} {'stays' if count == 1 else 'stay'} in the local file"
            text = f"{found[-1].reason}; {they}, to be tried again every hour"
            yield Condition(f"refused {field}", text, field, f"{database} takes again what it refused")


def expired_text(database: str, count: int) -> str:
    """Checks that expired before they could be delivered."""
    return f"{plural(count, 'check')} grew older than retention before {database} had them"


def not_deleted(why: str) -> Condition:
    """The database could not delete what it should."""
    return Condition("retention", f"what is older than retention or was purged stays: {why}", why)


def missing(database: str, count: int) -> Condition:
    """Checks that only summaries know."""
    return Condition("missing", f"{database} lacks {plural(count, 'check')}, known by summaries only", "missing")


# The end


def kept_text(file: Path, database: str) -> str:
    """Where a run's checks and alerts are stored; `database` has them, too ("": none has)."""
    return f"everything is stored in {file}" + (f"; {database} has taken all of it, too" if database else "")


def undelivered_text(points: int, away: Path | None = None) -> str:
    """Where the points are that wait for the database. `away` is their file if the next start will open another one."""
    waiting = _points_wait(points)
    if away is None:
        return f"{waiting} in the local file for the database; the next start sends what is left"
    return f"{waiting} in {away} for the database; a monitor whose localDatabase is that file sends what is left"


def _points_wait(count: int) -> str:
    return f"{plural(count, 'point')} {'waits' if count == 1 else 'wait'}"
