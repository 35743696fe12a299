"""`--test-notifications`: sends a marked message through every channel, and prints which ones accept it."""

from concurrent.futures import ThreadPoolExecutor

from monitoring.commands.invocation import Invocation
from monitoring.commands.oneshot.drill import channels_of
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.display.output.outputs import say
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.notifier import open_channel
from monitoring.service.signals import end_at_signals

TITLE = "TEST: notifications of the website monitor"
TEXT = "This is a test, asked for by --test-notifications: nothing has happened to your sites."
MOST_AT_ONCE = 20


def run(invocation: Invocation) -> int:
    """Returns 0 if every channel accepts the message, else 1. Raises `MonitoringError` if there are no channels."""
    end_at_signals()
    channels = channels_of(invocation)
    with ThreadPoolExecutor(MOST_AT_ONCE) as threads:
        answers = list(threads.map(trouble, channels))
    for channel, answer in zip(channels, answers, strict=True):
        say(f"{channel.label}: {answer or 'ok'}")
    return 1 if any(answers) else 0


def trouble(config: ChannelConfig) -> str | None:
    """Why the channel does not accept the message; None: it does."""
    try:
        open_channel(config).send(Message("test", TITLE, TEXT, is_drill=True))
    except Undelivered as error:
        return str(error)
    return None
