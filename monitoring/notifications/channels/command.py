"""A program of the user's: it gets each message as one JSON object on its standard input."""

import json
from collections.abc import Mapping, Sequence

from monitoring.config.notifications import ChannelConfig
from monitoring.display.jsonlines import alert_json
from monitoring.display.words import printable
from monitoring.models import Alert
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.channels.child import Child

PATIENCE_S = 30.0
LONGEST_REASON = 200
HIDDEN = "***"
SHORTEST_SECRET = 6
REFUSED = 100
"""An exit status by which the program says that it will never take this message. Any other one but 0: try again."""


class Command:
    """Keeps `Channel`."""

    takes_level = False

    def __init__(self, config: ChannelConfig) -> None:
        self._command = config.command
        self._child = Child()

    def send(self, message: Message) -> None:
        status, _, errors = self._child.run(self._command, message_json(message).encode(), PATIENCE_S)
        if status:
            said = errors.decode(errors="replace").strip().splitlines()[-1:]
            reason = f"exit status {status}{''.join(f': {line}' for line in said)}"
            raise Undelivered(self._without_arguments(reason)[:LONGEST_REASON], is_final=status == REFUSED)

    def _without_arguments(self, reason: str) -> str:
        """An argument may be a secret."""
        for argument in self._command[1:]:
            reason = reason.replace(argument, HIDDEN) if len(argument) >= SHORTEST_SECRET else reason
        return printable(reason)

    def tell_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._child.close()


def message_json(message: Message) -> str:
    """`{"kind": "notification", …}`; `alerts` are the records as `--format json` prints them."""
    names = dict(message.names)
    return json.dumps(
        {
            "kind": "notification",
            "schema": 1,
            "event": message.event,
            "drill": message.is_drill,
            "title": message.title,
            "text": message.text,
            "alerts": [json.loads(alert_json(alert, names.get(alert.host))) for alert in message.alerts],
        }
    )
