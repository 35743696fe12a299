"""Selects the channels for a state change. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.models import Alert, AlertType, Site
from monitoring.statistics.status import outage_is_open
from monitoring.storage.notifications import Entry, Event, Route


def route_of(channels: Sequence[ChannelConfig], sites: Iterable[Site]) -> Route:
    """An alert goes to the channels that want it, and the recovery to the channels that got the alert.

    So whoever was notified of an outage is notified of its end, even if the site is no longer watched or the settings have
    changed. A channel that wants recoveries but no alerts gets the recoveries of its sites.
    """
    by_host = {site.host: site for site in sites}

    def wants(channel: ChannelConfig, alert: Alert, event: Event) -> bool:
        site = by_host.get(alert.host)
        return site is not None and channel.wants(site, event)

    def route(alert: Alert, notified: Collection[str]) -> Collection[str]:
        if alert.type is AlertType.ALERT:
            return [channel.label for channel in channels if wants(channel, alert, Event.ALERT)]
        ended = [channel for channel in channels if Event.RECOVERY in channel.on]
        return [
            channel.label
            for channel in ended
            if channel.label in notified or (Event.ALERT not in channel.on and wants(channel, alert, Event.RECOVERY))
        ]

    return route


def reminders(channel: ChannelConfig, newest: Iterable[Alert], sites: Mapping[str, Site], now_ms: int) -> Iterator[Entry]:
    """The newest due reminder for each open outage among the `newest` records of the hosts that the channel knows of.

    Reminders are due at whole multiples of the channel's interval.
    """
    for alert in newest:
        site = sites.get(alert.host)
        if channel.reminder_ms is None or not outage_is_open(alert) or not site or not channel.wants(site, Event.REMINDER):
            continue
        number = (now_ms - alert.time_ms) // channel.reminder_ms
        if number > 0:
            yield Entry(channel.label, Event.REMINDER, alert.time_ms + number * channel.reminder_ms, alert)
