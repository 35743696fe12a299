"""The outputs of the alert history: on a terminal, in a pipe, as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from monitoring.display.output.outputs import is_terminal
from monitoring.display.output.streams import Descriptor, Printing, Stream, Streams, begin_line
from monitoring.display.text.feed import IncidentFeed, Ongoing
from monitoring.display.text.jsonlines import alert_json
from monitoring.display.words import alert_detail, alert_sentence, delivery_lines, host_and_name, label, ongoing_text
from monitoring.models import Alert
from monitoring.names import printable
from monitoring.storage.notifications import Entry

if TYPE_CHECKING:
    from rich.live import Live

NO_ALERTS = "no alerts so far"


class HistoryOutput(Protocol):
    """What `-a` shows."""

    def state_change(self, alert: Alert, delivery: Sequence[Entry] = ()) -> None:
        """One alert record and its notifications. Records come in order of time."""

    def refresh(self, ongoing: Ongoing, now_ms: int, read_error: str | None) -> None:
        """The open outages after each reading, and why the store cannot be read (None: it can)."""

    def suspend(self) -> None:
        """Restore the terminal before Ctrl-Z stops the program."""

    def resume(self) -> None:
        """Use the terminal again after the program was continued."""

    def close(self) -> None:
        """The end."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """`limit` is the length of the history, newest part (None: all). `each_record`: show records instead of incidents."""

    limit: int | None = None
    each_record: bool = False


Deliveries = Mapping[Alert, Sequence[Entry]]
"""Alert records in order, with the notifications of each."""


class Records:
    """Alert records to show at the next refresh. Of the first ones, the history, only the newest are shown (`limit`)."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._waiting: dict[Alert, Sequence[Entry]] = {}

    def add(self, alert: Alert, delivery: Sequence[Entry]) -> None:
        self._waiting[alert] = delivery

    def take(self) -> Deliveries:
        found, self._waiting = self._waiting, {}
        if found and self._limit is not None:
            found, self._limit = dict(list(found.items())[-self._limit :]), None
        return found


def notification_lines(records: Iterable[Alert], deliveries: Deliveries) -> list[str]:
    """The lines on the notifications of these records."""
    return [line for record in records for line in delivery_lines(deliveries.get(record, ()))]


class JsonHistory:
    """One JSON object on each line. Errors go to stderr, a repeated one once."""

    def __init__(
        self, names: Mapping[str, str | None], stdout: Stream, errors: Stream, options: HistoryOptions = HistoryOptions()
    ) -> None:
        self._names = names
        self._stdout = stdout
        self._errors = errors
        self._read_error: str | None = None
        self._records = Records(options.limit)

    def state_change(self, alert: Alert, delivery: Sequence[Entry] = ()) -> None:
        self._records.add(alert, delivery)

    def refresh(self, ongoing: Ongoing, now_ms: int, read_error: str | None) -> None:
        self._show(self._records.take(), now_ms, ongoing)
        if read_error and read_error != self._read_error:
            print(printable(read_error), file=self._errors, flush=True)
        self._read_error = read_error

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None: ...

    def _show(self, new: Deliveries, now_ms: int, ongoing: Ongoing) -> None:
        for alert, delivery in new.items():
            self._print(alert_json(alert, self._names.get(alert.host), delivery))

    def _print(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._stdout, flush=True)


class PlainHistory(JsonHistory):
    """One line for each incident, or two for each record. After records, the open outages are listed once."""

    _listed_ongoing = False
    _shown_any = False
    _day = ""

    def __init__(
        self, names: Mapping[str, str | None], stdout: Stream, errors: Stream, options: HistoryOptions = HistoryOptions()
    ) -> None:
        super().__init__(names, stdout, errors, HistoryOptions(options.limit if options.each_record else None))
        self._feed = None if options.each_record else IncidentFeed(names, options.limit)

    def _show(self, new: Deliveries, now_ms: int, ongoing: Ongoing) -> None:
        self._shown_any = self._shown_any or bool(new)
        if self._feed is None:
            for alert, delivery in new.items():
                called = host_and_name(alert.host, self._names.get(alert.host))
                self._print(alert_sentence(alert, called), f"  {alert_detail(alert)}", *delivery_lines(delivery))
            return
        for line in self._feed.lines(list(new), now_ms, ongoing):
            self._print(
                *([""] if self._day not in ("", line.day) else []), line.text, *notification_lines(line.records, new)
            )
            self._day = line.day

    def refresh(self, ongoing: Ongoing, now_ms: int, read_error: str | None) -> None:
        super().refresh(ongoing, now_ms, read_error)
        if self._listed_ongoing or read_error:
            return
        self._listed_ongoing = True
        lines = [] if self._feed else [self._ongoing_line(alert, now_ms, until_ms) for alert, until_ms in ongoing.items()]
        self._print(*(lines or ([] if self._shown_any else [NO_ALERTS])))

    def _ongoing_line(self, alert: Alert, now_ms: int, until_ms: int | None) -> str:
        return ongoing_text(alert, now_ms, host_and_name(alert.host, self._names.get(alert.host)), until_ms)

    def _print(self, *lines: str) -> None:
        if lines:
            super()._print(*lines)

    def close(self) -> None:
        begin_line(self._stdout)


class TerminalHistory:
    """The history scrolls in colours. The open outages and their durations stay below it."""

    def __init__(
        self,
        names: Mapping[str, str | None],
        stdout: Descriptor,
        options: HistoryOptions,
        environ: Mapping[str, str],
        *,
        live: bool,
    ) -> None:
        from monitoring.display.output.consoles import open_console

        self._console = open_console(environ, stdout)
        self._names = names
        self._live: Live | None = self._new_live() if live else None
        self._records = Records(options.limit if options.each_record else None)
        self._feed = None if options.each_record else IncidentFeed(names, options.limit)
        self._shown_any = False
        self._day = ""

    def _new_live(self) -> "Live":
        from rich.live import Live

        live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        live.start()
        return live

    def state_change(self, alert: Alert, delivery: Sequence[Entry] = ()) -> None:
        self._records.add(alert, delivery)

    def _show(self, new: Deliveries, now_ms: int, ongoing: Ongoing) -> None:
        from rich.text import Text

        from monitoring.display.drawing.closing import history_text

        self._shown_any = self._shown_any or bool(new)
        if self._feed is None:
            for alert, delivery in new.items():
                self._console.print(history_text(alert, self._names.get(alert.host)))
                self._print_weak(delivery_lines(delivery))
            return
        for line in self._feed.lines(list(new), now_ms, ongoing):
            if self._day not in ("", line.day):
                self._console.print()
            self._day = line.day
            self._console.print(Text(line.text, "bad" if line.is_open else "good"))
            self._print_weak(notification_lines(line.records, new))

    def _print_weak(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._console.print(line, style="weak", markup=False)

    def refresh(self, ongoing: Ongoing, now_ms: int, read_error: str | None) -> None:
        from rich.text import Text

        self._show(self._records.take(), now_ms, ongoing)
        below = [Text(f"✖ {self._ongoing_text(*one, now_ms)}", "state.down") for one in ongoing.items()]
        if read_error:
            below.append(Text(printable(read_error), "warning"))
        elif not self._shown_any:
            below.append(Text(NO_ALERTS, "weak"))
        below_text = Text("\n").join(below)
        if self._live:
            self._live.update(below_text, refresh=True)
        elif below:
            self._console.print(below_text)

    def _ongoing_text(self, alert: Alert, until_ms: int | None, now_ms: int) -> str:
        return ongoing_text(alert, now_ms, label(alert.host, self._names.get(alert.host)), until_ms)

    def suspend(self) -> None:
        self.close()

    def resume(self) -> None:
        if self._live:
            self._live = self._new_live()

    def close(self) -> None:
        if self._live:
            self._live.stop()


class SteadyHistory:
    """Goes on with `output` while nothing can be written. Raises `BrokenPipeError` if the reader is gone."""

    def __init__(self, output: HistoryOutput, streams: Streams) -> None:
        self._output = output
        self._errors = streams.errors
        self._printing = Printing(streams, self._report)

    def _report(self, text: str) -> None:
        with suppress(OSError):  # stderr may be on the same full disk
            print(text, file=self._errors, flush=True)

    def state_change(self, alert: Alert, delivery: Sequence[Entry] = ()) -> None:
        self._printing.attempt(lambda: self._output.state_change(alert, delivery))

    def refresh(self, ongoing: Ongoing, now_ms: int, read_error: str | None) -> None:
        self._printing.attempt(lambda: self._output.refresh(ongoing, now_ms, read_error))

    def suspend(self) -> None:
        self._printing.attempt(self._output.suspend)

    def resume(self) -> None:
        self._printing.attempt(self._output.resume)

    def close(self) -> None:
        self._printing.attempt(self._output.close)


def open_history_output(
    form: str, names: Mapping[str, str | None], environ: Mapping[str, str], options: HistoryOptions, *, live: bool
) -> HistoryOutput:
    """The output for this terminal or pipe. `form` is "text" or "json".

    `live`: new records follow the history, also after a time in which nothing could be written. Otherwise `OSError` is
    raised if something cannot be written.
    """
    streams = Streams.standard()
    output: HistoryOutput
    if form == "json":
        output = JsonHistory(names, *streams, options)
    elif is_terminal(environ):
        output = TerminalHistory(names, streams.stdout, options, environ, live=live)
    else:
        output = PlainHistory(names, *streams, options)
    return SteadyHistory(output, streams) if live else output
