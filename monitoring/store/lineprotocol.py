"""Checks and alerts as lines of InfluxDB's line protocol, and the texts that its queries quote. Pure.

The schema: `website_availability` and `website_alerts`, one series a site through the tag `host` (and
`location`, where a monitor has one), times in integer milliseconds. Written by hand because it runs for every check: a
generic serialiser takes ten times as long.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from monitoring.errors import StoreRefused
from monitoring.models import Alert, Cause, CheckResult
from monitoring.names import is_name
from monitoring.store.blocks import MinuteBlock
from monitoring.store.influxblocks import Piece, Told, data_text, hosts_text, sums_text, version_of
from monitoring.store.rolledblocks import RolledBlock
from monitoring.store.rolledtext import rolled_text

CHECKS = "website_availability"
ALERTS = "website_alerts"
PROOFS = "website_monitor"
MINUTES = "website_minutes"
ROLLED = {"hours": "website_hours", "days": "website_days"}

RECENT = "recent"
"""The part of a minute's pieces; blocks have the number of theirs, and what is said of a whole minute has none."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


class Tags:
    """The tags of points from one location; "" is the one without a name, which is no tag.

    Each host is escaped once: there are many points of few hosts.
    """

    def __init__(self, location: str = "") -> None:
        self._location = f",location={_tag(location)}" if location else ""
        self._known: dict[str, str] = {}

    def __getitem__(self, host: str) -> str:
        """Of a check or an alert. Raises `StoreRefused` when the host can be no tag."""
        known = self._known.get(host)
        if known is None:
            known = self._known[host] = f"host={_tag(host)}{self._location}"
        return known

    def of_file(self, marker: str, part: str | None = None) -> str:
        """Of what the local file with this marker tells beside its points, of a part of its sites or of all."""
        return f"file={_tag(marker)}{self._location}" + ("" if part is None else f",part={part}")


def check_line(check: CheckResult, tags: Tags) -> str:
    """One check. Raises `StoreRefused` when its host can be no tag.

    Seconds are printed as microseconds with an exponent (153e-6): exact, and three times faster than a division. In one
    piece, because that takes half as long as adding field after field.
    """
    cause, response = check.cause, check.response_us
    resolve, connect, tls, processing, transfer = check.phases_us
    return (
        f"{CHECKS},{tags[check.host]} "
        f"available={1 if cause is None else 0}i,status={check.status}i,covers={check.covers_ms}i,lag={check.lag_us}e-6"
        f"{'' if response is None else f',responseTime={response}e-6'}"
        f"{'' if resolve is None else f',resolve={resolve}e-6'}"
        f"{'' if connect is None else f',connect={connect}e-6'}"
        f"{'' if tls is None else f',tls={tls}e-6'}"
        f"{'' if processing is None else f',processing={processing}e-6'}"
        f"{'' if transfer is None else f',transfer={transfer}e-6'}"
        f"{'' if cause is None else _cause(cause)} {check.time_ms}"
    )


def alert_line(alert: Alert, tags: Tags) -> str:
    """One alert or recovery. Raises `StoreRefused` when its host can be no tag."""
    fields = f'type="{alert.type}",startDate="{to_rfc3339(alert.start_ms)}",availability={float(alert.availability)}'
    if alert.end_ms is not None:
        fields += f',endDate="{to_rfc3339(alert.end_ms)}"'
    if alert.cause is not None:
        fields += _cause(alert.cause)
    return f"{ALERTS},{tags[alert.host]} {fields} {alert.time_ms}"


def proof_line(marker: str, proof: str, time_ms: int) -> str:
    """The point by which a monitor knows its database again; `proof` is plain letters and digits."""
    return f'{PROOFS},file={_tag(marker)} proof="{proof}" {time_ms}'


def told_line(tags: Tags, marker: str, minute_ms: int, told: Told) -> str:
    """Where the checks of this file in this minute can be read."""
    return f"{MINUTES},{tags.of_file(marker)} told={int(told)}i {minute_ms}"


def block_line(tags: Tags, marker: str, block: MinuteBlock) -> str:
    """What the checks of a part and minute add up to, and the checks."""
    sums, checks = sums_text(block), data_text(block.data)
    fields = f'version={version_of(sums, checks)}i,sums="{sums}",checks="{checks}"'
    return f"{MINUTES},{tags.of_file(marker, str(block.part))} {fields} {block.minute_ms}"


def piece_line(tags: Tags, marker: str, piece: Piece) -> str:
    """Checks of a minute that were delivered together, and their hosts by place."""
    hosts, checks = hosts_text(piece.hosts), data_text(piece.data)
    fields = f'version={version_of(hosts, checks)}i,hosts="{hosts}",checks="{checks}"'
    return f"{MINUTES},{tags.of_file(marker, RECENT)} {fields} {piece.minute_ms + piece.number}"


def line_again(source: str, tags: Mapping[str, str], field: str, value: int | str, time_ms: int) -> str:
    """A point that is there already, with one of its fields: a whole number, or plain letters."""
    series = ",".join((source, *(f"{name}={_tag(text)}" for name, text in sorted(tags.items()) if text)))
    written = f"{value}i" if isinstance(value, int) else f'"{value}"'
    return f"{series} {field}={written} {time_ms}"


def at_location(location: str) -> str:
    """The condition that a point is from this location; "" is also that of all points which have no such tag."""
    return f"location = {literal(location)}"


def of_file(marker: str) -> str:
    """The condition that the local file with this marker told of it."""
    return f"file = {literal(marker)}"


def literal(text: str) -> str:
    """The text as a string of InfluxQL, whatever it holds (as long as it is a name)."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"


def rolled_line(tags: Tags, marker: str, block: RolledBlock) -> str:
    """What a part adds up to in an hour or a day."""
    sums = rolled_text(block)
    fields = f'version={version_of(sums)}i,sums="{sums}"'
    return f"{ROLLED[block.table]},{tags.of_file(marker, str(block.part))} {fields} {block.start_ms}"


def identifier(name: str) -> str:
    """The name as a quoted identifier of InfluxQL."""
    return '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'


def to_rfc3339(time_ms: int) -> str:
    """UTC with milliseconds: 2026-01-01T00:00:00.000Z. Integer arithmetic, nothing is rounded."""
    return (_EPOCH + time_ms * _MILLISECOND).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_rfc3339(text: str) -> int:
    """The milliseconds of `to_rfc3339`. Raises ValueError for anything that is no date with a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a date without a time zone")
    return (moment - _EPOCH) // _MILLISECOND


def _cause(cause: Cause) -> str:
    return f',cause="{cause}"'


def _tag(text: str) -> str:
    if not is_name(text):
        raise StoreRefused(f"InfluxDB cannot hold this name: {ascii(text)[:120]}")
    return text.translate(_ESCAPES)
