"""`--report`: prints a summary of a month."""

from collections.abc import Sequence
from contextlib import closing

from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.reading import SCRIPT_PATIENCE_S, ask_with_fallback
from monitoring.config.parsing.durations import Month
from monitoring.display.output.outputs import print_lines
from monitoring.display.text.jsonlines import month_json
from monitoring.display.text.plain import month_lines
from monitoring.display.view_model.incidents import incidents
from monitoring.display.view_model.months import MonthReport, month_csv, month_report
from monitoring.display.view_model.values import unmeasured
from monitoring.errors import ConfigError
from monitoring.models import Site
from monitoring.storage.delivery.words import Source
from monitoring.storage.multi_location import MultiLocationReport, moment_to_show
from monitoring.storage.routing import ReaderChoice, Readers


def read_month(sites: Sequence[Site], readers: Readers, month: Month, until_ms: int) -> MonthReport:
    """The summary of a month, up to `until_ms`. Raises `StoreError`, and `ConfigError` if the month has not begun."""
    if month.from_ms >= until_ms:
        raise ConfigError([f"--report {month.name}: this month has not begun"])
    ends_ms = min(month.until_ms, until_ms)
    locations = MultiLocationReport(sites)
    locations.new_alerts(readers)
    (report,) = locations.reports(readers, [ends_ms - month.from_ms], ends_ms)
    locations.read_states(readers, until_ms)  # an outage goes on after its month if the site is still measured
    return month_report(month.name, report, incidents(locations.history()), unmeasured(locations.statuses()))


def run(invocation: Invocation) -> int:
    """Print it; returns the exit status. Raises `MonitoringError`."""
    config, _ = invocation.load()
    arguments, clock = invocation.arguments, SystemClock()

    def read(readers: Readers, _: Source) -> MonthReport:
        return read_month(config.sites, readers, arguments.month, moment_to_show(readers, clock, None))

    with closing(ReaderChoice(config, clock, SCRIPT_PATIENCE_S, arguments.location)) as choice:
        report = ask_with_fallback(choice, read, arguments.month.name)
    forms = {"json": lambda: [month_json(report)], "csv": lambda: month_csv(report).splitlines()}
    print_lines(forms.get(arguments.format, lambda: month_lines(report))())
    return 0
