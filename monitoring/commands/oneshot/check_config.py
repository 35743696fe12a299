"""`--check-config`: prints what the configuration would run. Errors are printed as in every mode."""

from monitoring.checks.assertions import in_force
from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.config import Config, describe, describe_maintenance
from monitoring.config.keys.maintenance import Maintenance
from monitoring.config.keys.notifications import ChannelConfig
from monitoring.display.output.outputs import say
from monitoring.display.text.jsonlines import json_line, rule_json, seconds
from monitoring.display.words import time_text
from monitoring.models import Site


def run(invocation: Invocation) -> int:
    """Print it; returns the exit status. Raises `ConfigError`."""
    config, _ = invocation.load()
    now_ms = SystemClock().now_ms()
    if invocation.arguments.format == "json":
        say(configuration_json(config, now_ms))
        return 0
    for line in (*describe(config), *describe_maintenance(config, now_ms)):
        say(line)
    return 0


def configuration_json(config: Config, now_ms: int) -> str:
    """The configuration without secrets, in one line: `{"schema": 1, "kind": "configuration", …}`."""
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
            "maintenance": [_maintenance(one, now_ms) for one in config.maintenance],
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


def _maintenance(planned: Maintenance, now_ms: int) -> dict[str, object]:
    """`from` and `until` belong to the present window or else to the next one."""
    window = planned.next(now_ms)
    return {
        "sites": sorted(planned.hosts),
        "cron": planned.cron or None,
        "timezone": planned.timezone if planned.cron else None,
        "from": time_text(window.from_ms) if window else None,
        "until": time_text(window.until_ms) if window else None,
    }


def _channel(channel: ChannelConfig) -> dict[str, object]:
    return {
        "name": channel.label,
        "kind": channel.kind.name,
        "sites": channel.sites or None,
        "on": channel.events,
        "reminder": None if channel.reminder_ms is None else seconds(channel.reminder_ms),
    }
