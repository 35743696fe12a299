"""Shows the alert history: on a terminal, in a pipe, as JSON."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from monitoring.display import alert_detail, alert_json, alert_sentence, ongoing_text, printable
from monitoring.display.outputs import is_fancy
from monitoring.models import Alert

if TYPE_CHECKING:
    from rich.live import Live

NO_ALERTS = "no alerts so far"


class HistoryOutput(Protocol):
    """What `-a` shows."""

    def state_change(self, alert: Alert) -> None:
        """One alert record; they come in order of time."""

    def refresh(self, ongoing: Sequence[Alert], now_ms: int, read_error: str | None) -> None:
        """After each question to the store: the open outages, and why it cannot be read (None: it can)."""

    def close(self) -> None:
        """The end."""


class JsonHistory:
    """One JSON object a line; errors go to stderr, a repeated one once."""

    def __init__(self, names: Mapping[str, str | None], stdout: TextIO, errors: TextIO) -> None:
        self._names = names
        self._stdout = stdout
        self._errors = errors
        self._read_error: str | None = None

    def state_change(self, alert: Alert) -> None:
        self._print(alert_json(alert, self._names.get(alert.host)))

    def refresh(self, ongoing: Sequence[Alert], now_ms: int, read_error: str | None) -> None:
        if read_error and read_error != self._read_error:
            print(printable(read_error), file=self._errors, flush=True)
        self._read_error = read_error

    def close(self) -> None: ...

    def _print(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._stdout, flush=True)


class PlainHistory(JsonHistory):
    """Lines; the open outages are listed once, after the history."""

    _listed_ongoing = False
    _shown_any = False

    def state_change(self, alert: Alert) -> None:
        self._shown_any = True
        self._print(alert_sentence(alert), f"  {alert_detail(alert)}")

    def refresh(self, ongoing: Sequence[Alert], now_ms: int, read_error: str | None) -> None:
        super().refresh(ongoing, now_ms, read_error)
        if self._listed_ongoing or read_error:
            return
        self._listed_ongoing = True
        lines = [ongoing_text(alert, now_ms) for alert in ongoing]
        self._print(*(lines or ([] if self._shown_any else [NO_ALERTS])))

    def _print(self, *lines: str) -> None:
        if lines:
            super()._print(*lines)


class TerminalHistory:
    """The history scrolls in colours; the open outages stay below it, with their duration."""

    def __init__(self, *, live: bool) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)
        self._live: Live | None = self._new_live() if live else None
        self._shown_any = False

    def _new_live(self) -> "Live":
        from rich.live import Live

        live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stderr=False)
        live.start()
        return live

    def state_change(self, alert: Alert) -> None:
        from monitoring.display.screen import history_text

        self._shown_any = True
        self._console.print(history_text(alert))

    def refresh(self, ongoing: Sequence[Alert], now_ms: int, read_error: str | None) -> None:
        from rich.text import Text

        below = [Text(f"✖ {ongoing_text(alert, now_ms)}", "bold red") for alert in ongoing]
        if read_error:
            below.append(Text(printable(read_error), "yellow"))
        elif not self._shown_any:
            below.append(Text(NO_ALERTS, "dim"))
        below_text = Text("\n").join(below)
        if self._live:
            self._live.update(below_text, refresh=True)
        elif below:
            self._console.print(below_text)

    def close(self) -> None:
        if self._live:
            self._live.stop()


def open_history_output(
    form: str, names: Mapping[str, str | None], environ: Mapping[str, str], *, live: bool
) -> HistoryOutput:
    """The output for this terminal or pipe. `form` is "text" or "json"; `live`: the history is followed."""
    if form == "json":
        return JsonHistory(names, sys.stdout, sys.stderr)
    if is_fancy(environ):
        return TerminalHistory(live=live)
    return PlainHistory(names, sys.stdout, sys.stderr)
