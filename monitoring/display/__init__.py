"""Everything that is shown: values in, text out. Nothing but `output` prints or does I/O, and nothing reads a clock.

    words        numbers, times and sentences as people read them
    view_model/  what there is to show, as values
    text/        lines of text and of JSON
    drawing/     what screens consist of              (imports rich)
    output/      where text goes: terminals and pipes

This package itself does not import rich: plain and JSON output start without it.
"""

from monitoring.display.text.backtest import backtest_json, backtest_lines
from monitoring.display.text.explanation import explanation_lines
from monitoring.display.text.jsonlines import alert_json, explanation_json, month_json, stats_json
from monitoring.display.text.plain import (
    closing_lines,
    history_line,
    month_lines,
    ongoing_line,
    placeholder_line,
    stats_lines,
)
from monitoring.display.view_model.months import month_csv
from monitoring.display.view_model.values import (
    Closing,
    ClosingRow,
    Header,
    SiteKey,
    SiteRow,
    StatsReport,
    View,
    closing_rows,
    stats_report,
)
from monitoring.display.words import (
    alert_detail,
    alert_sentence,
    delivery_lines,
    duration_text,
    host_and_name,
    ongoing_text,
    percent_text,
    printable,
    seconds_text,
    time_text,
)

__all__ = [
    "Closing",
    "ClosingRow",
    "Header",
    "SiteKey",
    "SiteRow",
    "StatsReport",
    "View",
    "alert_detail",
    "alert_json",
    "alert_sentence",
    "backtest_json",
    "backtest_lines",
    "closing_lines",
    "closing_rows",
    "delivery_lines",
    "duration_text",
    "explanation_json",
    "explanation_lines",
    "history_line",
    "host_and_name",
    "month_csv",
    "month_json",
    "month_lines",
    "ongoing_line",
    "ongoing_text",
    "percent_text",
    "placeholder_line",
    "printable",
    "seconds_text",
    "stats_json",
    "stats_lines",
    "stats_report",
    "time_text",
]
