"""What is said of a channel that does not work, so that header, `-p`, stderr and systemd say the same. Pure."""

from collections.abc import Collection, Iterable, Iterator

from monitoring.display import words
from monitoring.display.words import local_text, plural
from monitoring.storage.delivery.words import Condition
from monitoring.storage.notifications import Delivery, Entry

PATIENCE_MS = 15_000
"""What has waited for less is on its way."""


def conditions(entries: Iterable[Entry], channels: Collection[str], now_ms: int) -> Iterator[Condition]:
    """What a person should know of these channels, from the entries of the past day (in order of time)."""
    by_channel: dict[str, list[Entry]] = {channel: [] for channel in channels}
    for entry in entries:
        if entry.channel in by_channel:
            by_channel[entry.channel].append(entry)
    for channel, own in by_channel.items():
        waiting = [entry for entry in own if entry.state is Delivery.PENDING and entry.reason]
        done = sorted((entry for entry in own if entry.done_ms is not None), key=lambda entry: entry.done_ms or 0)
        if waiting and now_ms - waiting[0].time_ms >= PATIENCE_MS:
            yield waits(channel, waiting[-1].reason, sum(entry.state is Delivery.PENDING for entry in own))
        elif done and done[-1].state is Delivery.FAILED:
            yield failed(channel, done[-1].reason, sum(entry.state is Delivery.FAILED for entry in own))


def waits(channel: str, reason: str, count: int) -> Condition:
    """Notifications are tried again and again."""
    text = f"notifications by {channel} cannot be sent: {reason}; {plural(count, 'state change')} {_verb(count)}"
    return Condition(f"notifications {channel}", text, "waits", f"notifications by {channel} are sent again")


def failed(channel: str, reason: str, count: int) -> Condition:
    """Notifications will never be sent."""
    text = f"{plural(count, 'state change')} could not be told by {channel}: {reason}"
    return Condition(f"notifications {channel}", text, reason, f"notifications by {channel} are sent again")


def expiry_text(expires_ms: int, now_ms: int) -> str:
    """ "its certificate expires in 5 days, on 2026-11-28 18:22:04 +01:00"; whole days, as the column `cert` counts them."""
    return f"its certificate {words.expiry_text(expires_ms, now_ms)}, on {local_text(expires_ms)}"


def _verb(count: int) -> str:
    return "waits" if count == 1 else "wait"
