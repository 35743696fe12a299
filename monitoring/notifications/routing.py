"""Selects the channels for a state change. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.models import Alert, AlertType, Site
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


def reminders(
    channel: ChannelConfig, sent: Mapping[str, Entry], ongoing: Iterable[Alert], sites: Mapping[str, Site], now_ms: int
) -> Iterator[Entry]:
    """The newest due reminder for each open outage whose alert the channel has sent.

    Reminders are due at whole multiples of the channel's interval. `sent` is the newest state change of each host that the
    channel has sent.
    """
    for alert in ongoing:
        entry, site = sent.get(alert.host), sites.get(alert.host)
        if channel.reminder_ms is None or entry is None or site is None or not channel.wants(site, Event.REMINDER):
            continue
        number = (now_ms - alert.time_ms) // channel.reminder_ms
        if entry.alert.start_ms == alert.start_ms and number > 0:
            yield Entry(channel.label, Event.REMINDER, alert.time_ms + number * channel.reminder_ms, alert)
