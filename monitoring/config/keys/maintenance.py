"""Planned maintenance: the key `maintenance` of the configuration and of a website, and its windows. Pure.

If clocks skip the time of day at which maintenance begins, it begins at the moment of the change; if they show it twice, at
the first time (as with Debian's cron). Its duration is elapsed time, whatever clocks show.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitoring.config.keys.notifications import chosen_sites, selects
from monitoring.config.parsing import values
from monitoring.config.parsing.durations import EPOCH, since_epoch_ms
from monitoring.config.parsing.section import Section
from monitoring.config.parsing.text import Invalid, accepts
from monitoring.models import Site, Window
from monitoring.units import DAY_MS, MINUTE_MS

OWN_KEYS = ("from", "until", "cron", "duration", "timezone")
"""The keys of maintenance that a website plans for itself."""
MAINTENANCE_KEYS = ("sites", *OWN_KEYS)

CRON_FIELDS = 5
LONGEST_MS = 31 * DAY_MS
"""The longest duration, if a cron expression or a person begins the maintenance."""
LENGTH = values.duration(MINUTE_MS, LONGEST_MS)

LAST_MS = 4_102_444_800_000
"""The year 2100: nobody plans further ahead."""

_MILLISECOND = timedelta(milliseconds=1)
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Maintenance of the sites with these hosts: `once`, or for `length_ms` at every time of `cron` in `timezone`."""

    hosts: frozenset[str]
    once: Window | None = None
    cron: str = ""
    timezone: str = "UTC"
    length_ms: int = 0

    def windows(self, span: Window) -> Iterator[Window]:
        """The windows that reach into this span, in order. Of those that began before it, only the latest is included."""
        if self.once:
            if self.once.from_ms < span.until_ms and self.once.until_ms > span.from_ms:
                yield self.once
        elif self.cron:
            yield from self._repeated(span)

    def next(self, now_ms: int) -> Window | None:
        """The window that contains `now_ms`, or else the next one; None: there are no more."""
        return next(self.windows(Window(now_ms, LAST_MS)), None)

    def _repeated(self, span: Window) -> Iterator[Window]:
        from zoneinfo import ZoneInfo

        from cronsim import CronSim

        begin = (EPOCH + span.from_ms * _MILLISECOND).astimezone(ZoneInfo(self.timezone))
        before = next(CronSim(self.cron, begin + _MILLISECOND, reverse=True), None)
        if before and (window := self._from(before)).until_ms > span.from_ms:
            yield window
        for start in CronSim(self.cron, begin):
            window = self._from(start)
            if window.from_ms >= span.until_ms:
                break
            yield window

    def _from(self, start: datetime) -> Window:
        from_ms = since_epoch_ms(start)
        return Window(from_ms, from_ms + self.length_ms)


def read_maintenance(root: Section, sites: Sequence[Site]) -> list[Maintenance]:
    """The maintenance under the configuration's own key, for some of these sites or for all."""
    found = []
    for section in root.sections("maintenance", MAINTENANCE_KEYS):
        chosen = chosen_sites(section, sites)
        meant = (site for site in sites if not chosen or any(selects(selector, site) for selector in chosen))
        found += _read(section, frozenset(site.host for site in meant))
    return found


def read_own_maintenance(website: Section) -> list[Maintenance]:
    """The maintenance that a website plans for itself, without the host, which is not known yet."""
    return [one for section in website.sections("maintenance", OWN_KEYS) for one in _read(section, frozenset())]


def _read(section: Section, hosts: frozenset[str]) -> list[Maintenance]:
    from_ms, until_ms = section.take("from", _moment, None), section.take("until", _moment, None)
    cron, length_ms = section.take("cron", _cron, None), section.take("duration", LENGTH, None)
    timezone = section.take("timezone", _timezone, "UTC")
    is_once, is_repeated = _has_both(section, "from", "until"), _has_both(section, "cron", "duration")
    if section.is_object and is_once == is_repeated:
        section.problem(None, "must have either from and until, or cron and duration")
    if section.has("timezone") and not section.has("cron"):
        section.problem("timezone", "is only allowed with cron")
    if from_ms is not None and until_ms is not None:
        if until_ms <= from_ms:
            section.problem("until", "must be later than from")
        return [Maintenance(hosts, once=Window(from_ms, until_ms))]
    if cron is None or length_ms is None:
        return []
    return [Maintenance(hosts, cron=cron, timezone=timezone, length_ms=length_ms)]


def _has_both(section: Section, first: str, second: str) -> bool:
    """Is a pair of keys given? Reports that one of the two is missing."""
    for key, other in ((first, second), (second, first)):
        if section.has(key) and not section.has(other):
            section.problem(other, f"is missing; {key} requires it")
    return section.has(first) or section.has(second)


@accepts({"type": "string", "format": "date-time"})
def _moment(value: object) -> int:
    """Milliseconds since 1970. The offset is required so that the time means the same on every machine."""
    try:
        found = datetime.fromisoformat(values.text(value))
        if found.tzinfo is not None:
            return since_epoch_ms(found)
    except (ValueError, OverflowError):
        pass
    raise Invalid('must be a time with its offset, as in "2026-12-01T02:00+01:00" or "2026-12-01T01:00Z"')


@accepts(values.NONEMPTY)
def _cron(value: object) -> str:
    from cronsim import CronSim, CronSimError

    found = values.nonempty(value)
    try:
        if len(found.split()) == CRON_FIELDS:
            next(CronSim(found, _ANY_DAY))
            return found
    except StopIteration:
        raise Invalid("describes a time that never comes") from None
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        raise Invalid(f"must be five fields as in crontab(5): the {field} is wrong") from None
    raise Invalid('must be five fields as in crontab(5): minute, hour, day, month, weekday, as in "0 2 * * 0"')


@accepts(values.NONEMPTY)
def _timezone(value: object) -> str:
    from zoneinfo import ZoneInfo

    found = values.nonempty(value)
    try:
        ZoneInfo(found)
    except (ValueError, KeyError, OSError):  # KeyError: there is no such zone
        raise Invalid('must be a time zone that this machine knows, as in "Europe/Paris"') from None
    return found
