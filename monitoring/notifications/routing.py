"""Which channels a state change is for. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.models import Alert, AlertType, Site
from monitoring.storage.notifications import Entry, Event, Route


def route_of(channels: Sequence[ChannelConfig], sites: Iterable[Site]) -> Route:
    """Alerts go to the channels that want them; the end of an outage to those of them that were told of its beginning.

    So whoever heard of an outage hears of its end, also when the site is no longer watched or the settings have changed. A
    channel that wants no alerts gets the recoveries of its sites all the same.
    """
    by_host = {site.host: site for site in sites}

    def wants(channel: ChannelConfig, alert: Alert, event: Event) -> bool:
        site = by_host.get(alert.host)
        return site is not None and channel.wants(site, event)

    def route(alert: Alert, told: Collection[str]) -> Collection[str]:
        if alert.type is AlertType.ALERT:
            return [channel.label for channel in channels if wants(channel, alert, Event.ALERT)]
        ended = [channel for channel in channels if Event.RECOVERY in channel.on]
        return [
            channel.label
            for channel in ended
            if channel.label in told or (Event.ALERT not in channel.on and wants(channel, alert, Event.RECOVERY))
        ]

    return route


def reminders(
    channel: ChannelConfig, told: Mapping[str, Entry], ongoing: Iterable[Alert], sites: Mapping[str, Site], now_ms: int
) -> Iterator[Entry]:
    """The newest reminder that is due for each outage that the channel was told of: at whole multiples of its interval.

    `told` is the newest state change of each host that it has sent.
    """
    for alert in ongoing:
        entry, site = told.get(alert.host), sites.get(alert.host)
        if channel.reminder_ms is None or entry is None or site is None or not channel.wants(site, Event.REMINDER):
            continue
        number = (now_ms - alert.time_ms) // channel.reminder_ms
        if entry.alert.start_ms == alert.start_ms and number > 0:
            yield Entry(channel.label, Event.REMINDER, alert.time_ms + number * channel.reminder_ms, alert)
