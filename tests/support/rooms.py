"""The plan of the rooms: which may look into which, and on which floor of its room a module stands."""

from collections.abc import Collection, Mapping, Sequence

from monitoring.config.keys.databases import DATABASES

SHARED = ("models", "thresholds", "transport", "errors", "units", "names", "shell", "fields")
"""The values and errors that every room may use."""

DATABASE_SEES = {"trust", "config", "statistics", "storage.base", "storage.sessions"}
"""What each of `DATABASES` may look into: they know nothing of each other."""

SEES: Mapping[str, Collection[str]] = {
    **dict.fromkeys(SHARED, ()),
    "models": {"fields", "thresholds", "transport"},
    "thresholds": {"units"},
    "shell": {"names"},
    "clock": (),
    "trust": (),
    # Rooms that need no storage
    "statistics": (),
    "checks.assertions": (),
    "checks.abilities": (),
    "config.parsing": (),
    "config.keys": {"trust", "checks.assertions", "checks.abilities", "config.parsing"},
    "config": {"trust", "checks.assertions", "config.parsing", "config.keys"},
    "display.words": {"storage.notifications"},
    "display.view_model": {"statistics", "display.words"},
    "display.text": {
        *("statistics", "storage.notifications", "alerts.rule", "alerts.explain", "alerts.backtest"),
        *("display.words", "display.view_model"),
    },
    "display.drawing": {"statistics", "alerts.explain", "display.words", "display.view_model", "display.text"},
    "display.output": {
        *("storage.notifications", "display.words", "display.view_model", "display.text", "display.drawing"),
    },
    "service.process": (),
    "service.systemd": (),
    "service.signals": (),
    "checks": {"clock", "trust", "service.process", "checks.assertions", "checks.abilities"},
    "alerts.rule": {"statistics"},
    "alerts.log": {"statistics"},
    "alerts.maintenance": {"config", "statistics", "display.words"},
    "alerts.replay": {"statistics", "alerts.rule"},
    "alerts.backtest": (),
    "alerts.explain": {"statistics", "alerts.rule", "alerts.replay"},
    # Storage: the databases know nothing of each other
    "storage.base": {"statistics"},
    "storage.notifications": (),
    "storage.sessions": {"trust"},
    "storage.sqlite.tables": {"statistics", "storage.base", "storage.notifications"},
    "storage.sqlite.file": {"storage.sqlite.tables"},
    "storage.sqlite": {
        *("statistics", "storage.base", "storage.notifications", "storage.sqlite.tables", "storage.sqlite.file"),
    },
    **{kind.store.rpartition(".")[0].removeprefix("monitoring."): DATABASE_SEES for kind in DATABASES},
    "storage.backends": {"config", "storage.base"},
    "storage.delivery": {"clock", "statistics", "display.words", "storage.base", "storage.sqlite"},
    "storage.routing": {
        "storage.notifications",
        *("clock", "config", "statistics", "storage.base", "storage.backends", "storage.delivery", "storage.sqlite"),
    },
    "storage.multi_location": {"clock", "statistics", "display", "alerts.log", "storage.base", "storage.routing"},
    "storage.opening": {
        *("clock", "config", "storage.base", "storage.backends", "storage.delivery", "storage.sqlite"),
    },
    # What decides and serves with it
    "alerts.evaluator": {"clock", "statistics", "alerts.rule", "storage.base"},
    "alerts.purges": {"clock", "statistics", "alerts.evaluator", "storage.base"},
    "service.health": {"clock", "display.words", "storage.delivery"},
    "notifications": {
        *("clock", "config", "statistics", "display.words", "storage.base", "storage.notifications", "storage.sqlite"),
        *("storage.delivery.words", "display.view_model.overview"),
    },
    "notifications.channels": {
        *("clock", "trust", "config", "display.words", "display.text.jsonlines", "storage.sessions", "notifications.base"),
    },
    "gateway": {"clock", "config", "statistics", "display", "service.signals", "service.health", "storage", "alerts.log"},
    "web": {
        *("clock", "config", "statistics", "display", "checks.assertions", "service.signals", "storage.notifications"),
        *("gateway.access", "gateway.limits", "gateway.output", "gateway.server", "gateway.tls", "gateway.certificate"),
    },
    "viewer": {"clock", "config", "display", "alerts.explain"},
    "importing": {"config", "display.words"},
    "commands.arguments": {"config"},
    "commands.cli": {"commands.arguments"},
    "commands.invocation": {
        *("config", "display.output.outputs", "notifications.notifier", "service.process", "service.systemd"),
    },
    "commands.reading": {"display.output.progress", "storage.delivery.words", "storage.routing"},
    "commands.oneshot": {
        *("clock", "config", "statistics", "display", "checks.assertions", "storage", "importing", "notifications"),
        *("alerts.backtest", "alerts.explain", "alerts.maintenance", "alerts.replay", "service.signals"),
        *("commands.arguments", "commands.cli", "commands.invocation", "commands.reading"),
    },
    "commands.live": {
        *("clock", "trust", "config", "statistics", "display", "service", "checks", "storage", "gateway", "web", "viewer"),
        *("notifications", "commands.invocation", "commands.reading", "commands.oneshot"),
    },
    "commands.program": {"checks.limits", "commands.cli", "commands.invocation", "service.process"},
    # Scripts
    "utils": (),
    "alertWatcher": {"clock", "config", "statistics", "display", "service.signals", "alerts", "storage", "commands"},
    "test": {"clock", "config", "statistics", "display", "service.signals", "checks", "alerts", "storage", "commands"},
    "monitoringApp": {
        *("clock", "config", "statistics", "display", "service", "checks", "alerts", "storage", "commands", "utils"),
        "notifications",
    },
}
"""Which rooms each room may look into beside itself and `SHARED`. A name stands for everything in it; the longest one that
fits a module is its room. `monitoring.` is left out, and everybody may ask `monitoring` itself for the version."""

FLOORS: Mapping[str, Sequence[str]] = {
    "statistics": ("percentiles", "windows status", "sketch tracker", "reference summary", "spans totals"),
    "config.parsing": ("text positions", "structure", "syntax values addresses", "section durations", "files"),
    "config.keys": ("databases notifications assertions transport", "maintenance", "websites"),
    "config": ("tokens settings", "describing loading reload", "__init__ lookup"),
    "display.view_model": ("values incidents series", "ranking months latest selection", "viewing overview"),
    "display.text": ("explanation jsonlines feed", "plain backtest"),
    "display.drawing": (
        *("theme brief grid sparkline", "columns chart events closing", "pane guide", "screen site_screen"),
    ),
    "display.output": (
        *("streams keys navigation", "consoles keyboard", "screen_output", "outputs", "progress history thread"),
    ),
    "checks": (
        "abilities assertions charset decoding failure limits phases readiness resolver schedule",
        *("alarms redirects response", "network transport", "handle", "probe", "checker", "checkers"),
    ),
    "gateway": (
        "access databases index limits metrics output refusals requests",
        *("certificate store_api upkeep", "legacy_api public_api tls", "description", "application server", "serve"),
    ),
    "storage.sqlite.tables": (
        *(
            "maintenance meta notifications schema shared",
            "blocks_1_1 summaries",
            "rows",
            "queries states",
            "from_1_1 outbox",
        ),
        "migrations purge retention summariser",
    ),
    "storage.sqlite.file": ("lock rescue", "connection", "open_file"),
    "storage.sqlite": ("reader", "file_store", "guard", "database store", "opening"),
    "storage.influxdb": ("client points", "questions", "delete states window", "store"),
    "storage.gateway": ("messages", "interface", "store"),
    "storage.delivery": ("asking comparison pace sending upkeep", "words", "forwarder writer", "unwritten", "local_first"),
    "alerts": ("rule log backtest maintenance", "evaluator replay", "explain purges"),
    "notifications": (
        *(
            "base grouping routing watched words channels",
            "certificates messages newest outbox simulation",
            "sender",
            "notifier",
        ),
    ),
    "service": ("process systemd signals health",),
    "web": ("board drawing markup", "lists metrics", "cells", "detail history", "pages", "application", "serve"),
    "viewer": ("snapshot prompt keys background", "state", "frames canvas", "app"),
    "importing": ("draft", "gatus uptime_kuma prometheus sitemap plain trial writing", "formats", "__init__"),
    "commands": ("arguments", "cli invocation reading", "program"),
    "commands.oneshot": ("maintenance drill purge_file", "*"),
    "commands.live": (
        *("terminal rounds series", "printer", "site_facts", "viewer_feed web", "viewer gateway_page page_process"),
        "monitor print gateway",
    ),
}
"""The floors of a room, from the bottom up: a module imports from floors below its own. `*`: all modules not named."""
