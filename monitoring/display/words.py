"""Numbers, times and sentences for people."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from monitoring.models import Alert, AlertType, Cause, State
from monitoring.names import printable
from monitoring.storage.notifications import Delivery, Entry
from monitoring.units import DAY_MS

NOTHING = "—"
"""Shown in place of an unknown value."""

WAITING = "waiting for the first checks"
NOTHING_KNOWN = "nothing is known yet"

SOURCES = {"local": "the local file", "influxdb": "InfluxDB", "gateway": "the gateway"}
"""The names of the stores for people, by their names in JSON."""

GLYPHS = {
    State.UP: "●",
    State.FAILING: "▲",
    State.DOWN: "✖",
    State.RECOVERING: "◐",
    State.MAINTENANCE: "◆",
    State.UNKNOWN: "○",
    State.PAUSED: "‖",
}
"""A sign for each state that needs no colour. The word is always shown as well."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_LEADS = re.compile(
    r"\A(?:SSL certificate (?:problem|OpenSSL verify result)|SSL|TLS connect error|OpenSSL SSL_\w+|Recv failure|Send failure"
    r"|[Cc]ould not resolve [^:]+|Failed to connect to .{1,300}? after \d+ ms): (?:error:[0-9A-F]{8}:[^:]*:[^:]*:)?"
)
"""Uninformative beginnings of a reason: who reports it, or what the row shows anyway."""
_VERIFY_NUMBER = re.compile(r"(?<=\S) \(\d{1,3}\)\Z")
"""OpenSSL's number of an error that its words name already."""
_TIMED_OUT = re.compile(
    r"(?P<what>Operation|Connection|Resolving) time(?:d )?out after (?P<ms>\d{1,12}) (?:milliseconds|ms)"
    r"(?: with (?P<came>\d+)(?: out of (?P<whole>\d+))? bytes received)?"
)
"""libcurl's sentences about a time limit; the time is how long it has waited, a little more than the limit."""
_MISSING = {
    "Operation": "no answer within {}",
    "Connection": "no connection within {}",
    "Resolving": "no address within {}",
}
"""What did not come in time, by what libcurl calls it."""

DELIVERY_WORDS = {
    Delivery.PENDING: "not sent yet",
    Delivery.SENT: "sent",
    Delivery.LATE: "sent late",
    Delivery.FAILED: "not sent",
}
"""The words for the state of a notification."""

DURATIONS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))


def percent_text(percent: Fraction | float | None, decimals: int = 2) -> str:
    """A percentage without its sign, cut off instead of rounded.

    So 100.00 means exactly 100, and a value below a threshold never looks as if it had reached it. Likewise 0.00 means
    exactly 0: anything more is shown as at least 0.01.
    """
    if percent is None or not math.isfinite(percent):
        return NOTHING
    # A float stands for its shortest decimal: 79.99 is slightly less in binary, but means 79.99.
    exact = Fraction(repr(percent)) if isinstance(percent, float) else Fraction(percent)
    steps = max(math.floor(exact * 10**decimals), 1 if exact > 0 else 0)
    whole, part = divmod(steps, 10**decimals)
    return f"{whole}.{part:0{decimals}d}" if decimals else str(whole)


def whole_percent_text(percent: Fraction) -> str:
    """The same in whole percent; what is less than one is not said to be one: "<1"."""
    return "<1" if 0 < percent < 1 else percent_text(percent, 0)


def exact_text(number: Fraction, decimals: int = 0) -> str:
    """A decimal number with all its digits, at least `decimals` of them after the point: "80", "99.95"."""
    text = format((Decimal(number.numerator) / Decimal(number.denominator)).normalize(), "f")
    whole, _, part = text.partition(".")
    part = part.ljust(decimals, "0")
    return f"{whole}.{part}" if part else whole


def with_sign(percent: str) -> str:
    """A percentage with its sign, which an unknown one does not get."""
    return percent if percent == NOTHING else f"{percent} %"


def duration_text(duration_ms: int) -> str:
    """The two largest units of a duration, cut off: "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"."""
    if 0 < duration_ms < 1_000:
        return f"{duration_ms} ms"
    left, counts = max(0, duration_ms), []
    for unit, size in DURATIONS:
        count, left = divmod(left, size)
        counts.append((count, unit))
    largest = next((place for place, (count, _) in enumerate(counts) if count), 0)
    return " ".join(f"{count} {unit}" for count, unit in counts[largest : largest + 2] if count) or "0 s"


def window_text(length_ms: int) -> str:
    """A window that ends now: "past 10 minutes", "past hour", "past 1 d 12 h"."""
    minutes, rest = divmod(length_ms, 60_000)
    if rest == 0 and minutes == 60:
        return "past hour"
    if rest == 0 and 1 < minutes < 60:
        return f"past {minutes} minutes"
    return f"past {duration_text(length_ms)}"


def seconds_text(time_us: float | None) -> str:
    """A response time: "12.3 ms", "1.24 s"."""
    if time_us is None:
        return NOTHING
    milliseconds = f"{time_us / 1_000:.1f}"
    return f"{time_us / 1_000_000:.2f} s" if float(milliseconds) >= 1_000 else f"{milliseconds} ms"


def time_text(moment_ms: int) -> str:
    """A time as RFC 3339 in UTC: "2026-01-01T00:00:00.000Z"."""
    moment = EPOCH + timedelta(milliseconds=moment_ms)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def inert(text: str) -> str:
    """The text, quoted if a spreadsheet would take it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def label(host: str, name: str | None, location: str = "") -> str:
    """The name of a site in tables, with the location that it is seen from."""
    return printable(f"{name or host} [{location}]" if location else name or host)


def counts_text(counts: Mapping[int, int] | Mapping[Cause, int], after: str = " ") -> str:
    """Counts, highest first: "200:298 503:2"; "—" if there are none."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return after.join(f"{what}:{count}" for what, count in ordered) or NOTHING


def lengths_text(lengths_ms: Mapping[Cause, int]) -> str:
    """Durations by cause: "timeout: 3 min 20 s, dns: 10 s"; "—" if there are none."""
    return ", ".join(f"{cause}: {duration_text(length_ms)}" for cause, length_ms in lengths_ms.items()) or NOTHING


def expiry_text(expires_ms: int, now_ms: int) -> str:
    """ "expires in 5 days", in whole days; "expires within a day"; "has expired"."""
    days = (expires_ms - now_ms) // DAY_MS
    return f"expires in {plural(days, 'day')}" if days > 0 else "expires within a day" if days == 0 else "has expired"


def plural(count: int, noun: str) -> str:
    """ "1 site", "2 sites"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def source_text(source: str, why: str) -> str:
    """The store that the numbers come from, and why that one."""
    store = SOURCES.get(source, source)
    return printable(f"reading {store}: {why}" if why else f"reading {store}")


def missed_text(missed: int) -> str:
    """The note on checks that were not made."""
    were = "was" if missed == 1 else "were"
    return f"{plural(missed, 'check')} {were} not made: this machine was too busy, asleep or out of files"


def too_old_text(why: str) -> str:
    """The note on expired data that the database still has."""
    return f"expired data is not deleted: {why}"


def ahead_text(ahead_ms: int) -> str:
    """The note on check times that are ahead of the clock."""
    return f"times run {duration_text(ahead_ms)} ahead: this machine's clock was set back"


def local_time(moment_ms: int) -> datetime:
    """A moment in this machine's time zone."""
    return (EPOCH + timedelta(milliseconds=moment_ms)).astimezone()


def local_text(moment_ms: int) -> str:
    """A moment in this machine's time zone, as people read it: "2026-01-01 18:24:07 +01:00"."""
    text = local_time(moment_ms).isoformat(sep=" ", timespec="seconds")
    return f"{text[:19]} {text[19:]}"


def host_and_name(host: str, name: str | None) -> str:
    """A site in lines for programs: its URL or id, with its name in parentheses."""
    return f"{printable(host)} ({printable(name)})" if name else printable(host)


def alert_sentence(alert: Alert, called: str = "") -> str:
    """The state change in one sentence. Its wording is fixed, because people and scripts search for it.

    `called` is the name of the site in this output; "": its URL or id.
    """
    site, percent, time = called or printable(alert.host), percent_text(alert.availability), time_text(alert.time_ms)
    time += f", location={printable(alert.location)}" if alert.location else ""
    if alert.type is AlertType.ALERT:
        return f"Website {site} is down. availability={percent}%, time={time}"
    if alert.is_unwatched:
        return f"Website {site} is no longer watched. It was down for {duration_text(outage_ms(alert))}, time={time}"
    return f"Website {site} recovered. availability={percent}%, down for {duration_text(outage_ms(alert))}, time={time}"


def alert_detail(alert: Alert) -> str:
    """The second line of a state change: the cause, and the time of the outage."""
    detail = f"{_cause_text(alert)}, first failed check {time_text(alert.start_ms)}"
    return detail if alert.end_ms is None else f"{detail}, answering again since {time_text(alert.end_ms)}"


def delivery_lines(delivery: Sequence[Entry]) -> Sequence[str]:
    """The state of a record's notifications: "  sent by ops; mail: late by 4 min"; no line if there are none."""
    sent = ", ".join(printable(entry.channel) for entry in delivery if entry.state is Delivery.SENT)
    others = [_delivery_text(entry) for entry in delivery if entry.state is not Delivery.SENT]
    found = [*([f"sent by {sent}"] if sent else []), *others]
    return [f"  {'; '.join(found)}"] if found else []


def _delivery_text(entry: Entry) -> str:
    if entry.state is Delivery.LATE and entry.done_ms is not None:
        return f"{printable(entry.channel)}: late by {duration_text(entry.done_ms - entry.time_ms)}"
    why = f" ({printable(entry.reason)})" if entry.reason else ""
    return f"{printable(entry.channel)}: {DELIVERY_WORDS[entry.state]}{why}"


def last_measured_text(measured_until_ms: int, now_ms: int) -> str:
    """The remark on an outage if nobody knows whether it goes on."""
    return f"last measured {duration_text(now_ms - measured_until_ms)} ago"


def ongoing_text(alert: Alert, now_ms: int, called: str = "", measured_until_ms: int | None = None) -> str:
    """An open outage in one sentence. `called` is the name of the site, as in `alert_sentence`.

    `measured_until_ms` is the end of the last check, if it is too old to show whether the site is still down.
    """
    what = f"has been down for {duration_text(now_ms - alert.start_ms)}"
    if measured_until_ms is not None:
        what = f"was down when it was last measured, {duration_text(now_ms - measured_until_ms)} ago"
    seen = f", seen from {printable(alert.location)}" if alert.location else ""
    since = f"since {time_text(alert.start_ms)}, {_cause_text(alert)}{seen}"
    return f"Website {called or printable(alert.host)} {what} ({since})"


def reason_text(detail: str) -> str:
    """A reason for people, escaped, in one line.

    It loses the uninformative beginning and end that libcurl or OpenSSL give it. Timeouts get words of our own: "no answer
    within 5 s".
    """
    if timed_out := _TIMED_OUT.fullmatch(detail):
        return _timed_out_text(**timed_out.groupdict())
    reason = _LEADS.sub("", detail, count=1)
    if "verify result" in detail:
        reason = _VERIFY_NUMBER.sub("", reason)
    return printable(reason) or printable(detail)


def _timed_out_text(what: str, ms: str, came: str | None, whole: str | None) -> str:
    limit = _limit_text(int(ms))
    if not came or came == "0":
        return _MISSING[what].format(limit)
    return f"answer incomplete after {limit}: {came} {f'of {whole} ' if whole else ''}bytes"


def _limit_text(waited_ms: int) -> str:
    """The time limit of a transfer that took this long: "5 s", "0.5 s"."""
    seconds, tenths = divmod(waited_ms // 100, 10)
    return f"{seconds}.{tenths} s" if tenths and seconds < 10 else f"{seconds} s"


def outage_ms(recovery: Alert) -> int:
    """The length of the outage that this recovery ended, in milliseconds."""
    return max(0, recovery.outage_end_ms - recovery.start_ms)


def cause_text(cause: Cause | None, detail: str) -> str:
    """ "tls: certificate has expired", "status 503", "timeout"."""
    return "unknown" if cause is None else with_reason(cause, reason_text(detail))


def with_reason(cause: str, reason: str) -> str:
    """A cause with its reason. The reason may be empty, or begin with the cause itself: "status 503"."""
    return reason if reason.startswith(f"{cause} ") else f"{cause}: {reason}" if reason else cause


def _cause_text(alert: Alert) -> str:
    return f"cause {cause_text(alert.cause, '' if alert.is_unwatched else alert.detail)}"
