"""The conditions of channels that do not work, as header, `-p`, stderr and systemd show them. Pure."""

from collections.abc import Collection, Iterable, Iterator

from monitoring.display import words
from monitoring.display.words import local_text, plural
from monitoring.storage.delivery.words import Condition
from monitoring.storage.notifications import Delivery, Entry
from monitoring.units import MINUTE_MS

PATIENCE_MS = 15_000
"""A notification that has waited for less time than this is no reason to report anything."""

SHOWN_MS = MINUTE_MS
"""How long a failure is reported at least, even if other notifications have been sent since."""


def conditions(entries: Iterable[Entry], channels: Collection[str], now_ms: int) -> Iterator[Condition]:
    """The conditions of these channels that people should know about, by the entries of the past day in order of time."""
    by_channel: dict[str, list[Entry]] = {channel: [] for channel in channels}
    for entry in entries:
        if entry.channel in by_channel:
            by_channel[entry.channel].append(entry)
    for channel, own in by_channel.items():
        waiting = [entry for entry in own if entry.state is Delivery.PENDING and entry.reason]
        done = sorted((entry for entry in own if entry.done_ms is not None), key=lambda entry: entry.done_ms or 0)
        if waiting and now_ms - waiting[0].time_ms >= PATIENCE_MS:
            yield waits(channel, waiting[-1].reason, sum(entry.state is Delivery.PENDING for entry in own))
        elif failures := [entry for entry in done if entry.state is Delivery.FAILED]:
            last = failures[-1]
            if last is done[-1] or now_ms - (last.done_ms or 0) < SHOWN_MS:
                yield failed(channel, last.reason, len(failures))


def waits(channel: str, reason: str, count: int) -> Condition:
    """Notifications fail at present and are tried again."""
    text = f"notifications by {channel} cannot be sent: {reason}; {plural(count, 'state change')} {_verb(count)}"
    return Condition(f"notifications {channel}", text, "waits", f"notifications by {channel} are sent again")


def failed(channel: str, reason: str, count: int) -> Condition:
    """Notifications have failed for good."""
    text = f"{plural(count, 'state change')} could not be sent by {channel}: {reason}"
    return Condition(f"notifications {channel}", text, reason, f"notifications by {channel} are sent again")


def expiry_text(expires_ms: int, now_ms: int) -> str:
    """ "its certificate expires in 5 days, on 2026-11-28 18:22:04 +01:00"; in whole days, like the column `cert`."""
    return f"its certificate {words.expiry_text(expires_ms, now_ms)}, on {local_text(expires_ms)}"


def _verb(count: int) -> str:
    return "waits" if count == 1 else "wait"
