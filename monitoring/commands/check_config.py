"""`--check-config`: says what would run; what is wrong is said by whoever catches the `ConfigError`."""

from monitoring.checks.assertions import in_force
from monitoring.commands.invocation import Invocation
from monitoring.config import Config, describe
from monitoring.config.notifications import ChannelConfig
from monitoring.display.jsonlines import json_line, rule_json, seconds
from monitoring.display.outputs import say
from monitoring.models import Site


def run(invocation: Invocation) -> int:
    """The exit status. Raises `ConfigError`."""
    config, _ = invocation.load()
    for line in [configuration_json(config)] if invocation.arguments.format == "json" else describe(config):
        say(line)
    return 0


def configuration_json(config: Config) -> str:
    """What would run: `{"schema": 1, "kind": "configuration", …}`, without a line break and without a secret."""
    return json_line(
        {
            "kind": "configuration",
            "websites": [_site(site) for site in config.sites],
            "alertInterval": seconds(config.alert_interval_ms),
            "location": config.location or None,
            "database": config.database and config.database.masked,
            "localDatabase": str(config.local_database),
            "retention": {"checks": seconds(config.check_retention_ms), "alerts": seconds(config.alert_retention_ms)},
            "notifications": [_channel(channel) for channel in config.notifications],
        }
    )


def _site(site: Site) -> dict[str, object]:
    return {
        "URL": site.host,
        "name": site.name,
        "address": site.address,
        "enabled": site.enabled,
        "group": site.group,
        "tags": site.tags,
        "method": site.method,
        "checkInterval": seconds(site.interval_ms),
        "timeout": seconds(site.timeout_ms),
        "expects": [str(assertion) for assertion in in_force(site)],
        "alerting": rule_json(site.rule),
    }


def _channel(channel: ChannelConfig) -> dict[str, object]:
    return {
        "name": channel.label,
        "kind": channel.kind.name,
        "sites": channel.sites or None,
        "on": channel.told,
        "reminder": None if channel.reminder_ms is None else seconds(channel.reminder_ms),
    }
