"""The interface of a channel: it sends a message or raises the reason why it could not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitoring.errors import MonitoringError
from monitoring.models import Alert


class Undelivered(MonitoringError):
    """A message was not accepted. The text is the reason, in words without secrets.

    `is_final`: the service will never accept it; otherwise it is worth trying again.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Message:
    """A message for a channel. `event` is the most important event in it, `names` are the configured names by host."""

    event: str
    title: str
    text: str
    alerts: Sequence[Alert] = ()
    names: Sequence[tuple[str, str | None]] = ()
    is_drill: bool = False


class Channel(Protocol):
    """One channel. Its own thread calls its methods, except for `close`.

    `is_level_triggered`: instead of messages about changes it repeatedly gets all outages that are open or have just ended
    (see `send_level`).
    """

    is_level_triggered: bool

    def send(self, message: Message) -> None:
        """Return when the service has accepted the message. Raises `Undelivered`, within the channel's own time limit."""

    def send_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        """Send the newest record of each host that is or was down; `names` are the configured names by host.

        Only if `is_level_triggered`. Raises `Undelivered`.
        """

    def close(self) -> None:
        """Abort the transfer that is running. Any thread may call it."""
