"""A program of the user: it gets each message as one JSON object on standard input."""

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.display.text.jsonlines import alert_values, json_line
from monitoring.names import printable
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.channels.child import PATIENCE_S, ByChild, without

LONGEST_REASON = 200
SHORTEST_SECRET = 6
REFUSED = 100
"""The exit status of a program that will never accept this message. After any other status but 0, it is tried again."""


class Command(ByChild):
    """Implements `Channel`."""

    def __init__(self, config: ChannelConfig) -> None:
        super().__init__()
        self._command = config.command

    def send(self, message: Message) -> None:
        status, _, errors = self._child.run(self._command, message_json(message).encode(), PATIENCE_S)
        if status:
            said = errors.decode(errors="replace").strip().splitlines()[-1:]
            reason = f"exit status {status}{''.join(f': {line}' for line in said)}"
            shown = printable(without(self._command[1:], reason, SHORTEST_SECRET))  # an argument may be a secret
            raise Undelivered(shown[:LONGEST_REASON], is_final=status == REFUSED)


def message_json(message: Message) -> str:
    """`{"kind": "notification", …}`; `alerts` are the records as `--format json` prints them."""
    names = dict(message.names)
    return json_line(
        {
            "kind": "notification",
            "event": message.event,
            "drill": message.is_drill,
            "title": message.title,
            "text": message.text,
            "alerts": [alert_values(alert, names.get(alert.host)) for alert in message.alerts],
        }
    )
