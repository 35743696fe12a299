"""Channels in the configuration: who is told of what, and that no URL gets out."""

import pytest

from monitoring.config import Config
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.errors import ConfigError
from tests.support.configurations import parse

SITES = [
    {"URL": "https://shop.example.org", "name": "shop", "tags": ["money"], "group": "eu"},
    {"URL": "https://blog.example.org", "notify": ["ops"]},
    {"URL": "https://lab.example.org", "notify": []},
]


def configured(*channels: object, **environ: str) -> Config:
    return parse({"websites": SITES, "notifications": list(channels)}, environ)


def told(channel: ChannelConfig, config: Config, event: str = "alert") -> list[str]:
    return [site.host.partition("//")[2].partition(".")[0] for site in config.sites if channel.wants(site, event)]


def test_a_channel_is_a_url_or_an_object() -> None:
    config = configured("json://hooks.example.org/a", {"name": "ops", "command": ["true", "-x"], "reminder": "1h"})
    hook, ops = config.notifications
    assert (hook.label, hook.kind.name, hook.reminder_ms) == ("json[0]", "apprise", None)
    assert (ops.label, ops.kind.name, ops.command, ops.reminder_ms) == ("ops", "command", ("true", "-x"), 3_600_000)


def test_two_channels_may_have_one_url_and_names_may_hold_blanks() -> None:
    hook = "json://hooks.example.org/a"
    config = configured(hook, hook, {"name": "the night shift", "url": hook}, {"name": "ops", "command": ["true"]})
    assert [channel.label for channel in config.notifications] == ["json[0]", "json[1]", "the night shift", "ops"]


@pytest.mark.parametrize("on", [[], ["alarm"], "alert", [7]])
def test_a_channel_that_is_told_of_nothing_is_refused(on: object) -> None:
    with pytest.raises(ConfigError, match=r"notifications\[0\]\.on: "):
        configured({"command": ["true"], "on": on})


@pytest.mark.parametrize(
    ("sites", "hosts"),
    [
        (None, ["shop"]),
        (["tag:money"], ["shop"]),
        (["group:eu"], ["shop"]),
        (["shop"], ["shop"]),
        (["https://shop.example.org/"], ["shop"]),
        (["https://shop.example.org"], ["shop"]),
        (["https://blog.example.org"], []),
    ],
)
def test_it_is_told_of_the_sites_that_it_asks_for(sites: list[str] | None, hosts: list[str]) -> None:
    """A website that names its channels is told by these alone."""
    config = configured({"command": ["true"], "sites": sites}, {"name": "ops", "command": ["true"]})
    assert told(config.notifications[0], config) == hosts


def test_a_website_may_name_its_channels() -> None:
    config = configured({"name": "ops", "command": ["true"], "sites": ["shop"]})
    assert told(config.notifications[0], config) == ["shop", "blog"]


def test_it_is_told_of_the_events_that_it_asks_for() -> None:
    config = configured({"name": "ops", "command": ["true"], "on": ["recovery"]})
    assert told(config.notifications[0], config) == []
    assert told(config.notifications[0], config, "recovery") == ["shop", "blog"]


def test_urls_and_arguments_are_secrets() -> None:
    config = configured(
        "json://hooks.example.org/${TOKEN}", {"name": "ops", "command": ["true", "${TOKEN}"]}, TOKEN="hunter2"
    )
    assert config.notifications[0].url == "json://hooks.example.org/hunter2"
    assert "hunter2" not in repr(config)


def test_a_url_that_apprise_cannot_read_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match=r"^config.json: notifications\[0\].url: is not the URL of a service") as caught:
        configured("slack://hunter2", {"name": "ops", "command": ["true"]})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("general", "own", "days"),
    [(None, None, 14), ("30d", None, 30), ("30d", "7d", 7), (None, 0, 0), (0, None, 0), (0, "14d", 14), ("0s", None, 0)],
)
def test_a_certificate_is_warned_of_as_the_website_says_or_else_all(general: object, own: object, days: int) -> None:
    website = {"URL": "https://shop.example.org", **({} if own is None else {"certificateWarning": own})}
    config = parse({"websites": [website], **({} if general is None else {"certificateWarning": general})})
    assert config.sites[0].certificate_warning_ms == days * 86_400_000


def test_an_alertmanager_is_told_of_no_certificate() -> None:
    config = configured("alertmanager+http://127.0.0.1:9093", {"name": "ops", "command": ["true"]})
    assert [told(channel, config, "certificate") for channel in config.notifications] == [[], ["shop", "blog"]]
