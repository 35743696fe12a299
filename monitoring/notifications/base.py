"""What a channel is: it takes a message, or says why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitoring.errors import MonitoringError
from monitoring.models import Alert


class Undelivered(MonitoringError):
    """A message was not taken. The text says why, for people and without a secret.

    `is_final`: it will never be taken; otherwise it is worth trying again.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is to tell. `event` is the most important one in it, `names` the configured names by host."""

    event: str
    title: str
    text: str
    alerts: Sequence[Alert] = ()
    names: Sequence[tuple[str, str | None]] = ()
    is_drill: bool = False


class Channel(Protocol):
    """One channel. Its methods are called from its own thread, but for `close`.

    `is_level_triggered`: it is not told of changes in messages, but again and again of all outages that are open or have just
    ended (see `send_level`).
    """

    is_level_triggered: bool

    def send(self, message: Message) -> None:
        """Returns when the service has accepted it. Raises `Undelivered`, within the channel's own time limit."""

    def send_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        """Where `is_level_triggered`: the newest record of each host that is or was down, and the sites' names by host.

        Raises `Undelivered`.
        """

    def close(self) -> None:
        """Give up what is under way; from any thread."""
