"""Everything that is shown: values in, text out. Nothing here prints, reads a clock or does I/O.

    values     what is shown
    words      numbers, times and sentences as people read them
    theme      the colours of screens, by name
    viewing    which sites are shown, in which order, over which window, of which moment
    ranking    which sites are shown when there is not room for all
    jsonlines  one JSON object a line
    plain      lines for logs and pipes
    explanation  why a site is in its state, as lines
    backtest   what another rule would have raised, as lines and JSON
    brief      numbers and times as narrow tables show them
    keys       which keys a terminal's bytes stand for
    sparkline  response times as a line of bars              (this and what follows imports rich)
    columns    the table of sites, in columns that the width decides
    events     the newest outages, one a line
    chart      response times and causes, of several lines
    pane       one site, beside the table
    screen     the live screen, made of these
    navigation what the keys of the live screen do
    closing    what remains when a run is over

This package itself does not import rich: plain and JSON output start without it. Import `monitoring.display.screen`
where a terminal is known to be there.

Sites' names, URLs and errors' texts are data: `words.printable` makes them harmless, and they reach rich only inside
`Text`, where markup means nothing.
"""

from monitoring.display.backtest import backtest_json, backtest_lines
from monitoring.display.explanation import explanation_lines
from monitoring.display.jsonlines import alert_json, explanation_json, month_json, stats_json
from monitoring.display.months import month_csv
from monitoring.display.plain import closing_lines, history_line, month_lines, ongoing_line, placeholder_line, stats_lines
from monitoring.display.values import (
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
