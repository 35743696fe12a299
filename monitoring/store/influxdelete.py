"""Deleting from InfluxDB what lies in some spans of time, and keeping sight of the rest.

While a part of a series is deleted InfluxDB may drop the series from its index, if it happens to write its cache to disk
just then (seen with 1.6.7: half a minute of writing and deleting is enough). What is left is on the disk and is not
found, until something is written to the series again. So a point that stays is written once more: it is the same point.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from monitoring.models import Window
from monitoring.store.influxminutes import within
from monitoring.store.lineprotocol import ALERTS, CHECKS, MINUTES, ROLLED, line_again

if TYPE_CHECKING:
    from monitoring.store.influxclient import InfluxClient  # at run time later: it takes 0.2 s

FIELDS: Mapping[str, Sequence[str]] = {
    CHECKS: ("available",),
    ALERTS: ("type",),
    MINUTES: ("version", "told"),
    **dict.fromkeys(ROLLED.values(), ("version",)),
}
"""Every point of a measurement has one of these, every point of a series the same one."""


def before(until_ms: int) -> Window:
    """All the time before this moment."""
    return Window(0, until_ms)


def delete(client: "InfluxClient", source: str, whose: Sequence[str], spans: Sequence[Window]) -> None:
    """Delete what these spans hold of the series that all of these conditions name. Raises `StoreError`."""
    newest = list(_newest(client, source, whose))
    for span in spans:
        client.execute(f"DELETE FROM {source} WHERE {' AND '.join((*whose, within(span)))}")
    staying = [line for time_ms, line in newest if not any(span.from_ms <= time_ms < span.until_ms for span in spans)]
    if staying:
        client.write(staying)


def _newest(client: "InfluxClient", source: str, whose: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The newest point of each series, which is the one that InfluxDB may still have in its cache: its time and its line."""
    for field in FIELDS[source]:
        where = " AND ".join((*whose, "time > 0"))
        for series in client.query(f"SELECT last({field}) FROM {source} WHERE {where} GROUP BY *"):
            time_ms, value = series["values"][0]
            yield time_ms, line_again(source, series["tags"], field, value, time_ms)
