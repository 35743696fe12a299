"""What starts a viewer on top of the live screen."""

import signal
import sys
import threading

import pytest

from monitoring.commands.cli import parse_arguments
from monitoring.commands.invocation import Invocation
from monitoring.commands.live import terminal as terminal_module
from monitoring.commands.live.terminal import viewer_command
from tests.support.monitor import PATIENCE_S, wait_for
from tests.support.processes import started_with


def test_a_viewer_reads_the_same_configuration_file_and_database() -> None:
    given = ["-c", "a.json", "--local-database", "b.db", "--database", "sqlite:"]
    invocation = Invocation(parse_arguments(["-m", *given]), {}, lambda *_: None)  # type: ignore[arg-type,return-value]
    assert [*viewer_command(invocation)] == [sys.executable, sys.argv[0], "--print", *given]
    urls = Invocation(parse_arguments(["-m", "https://a"]), {}, lambda *_: None)  # type: ignore[arg-type,return-value]
    assert [*viewer_command(urls)][2:] == ["--print", "https://a"]


class NoDisplay:
    """A display whose screen does not matter here."""

    def key(self, key: str) -> None: ...

    def suspend(self) -> None: ...

    def resume(self) -> None: ...


def test_ctrl_z_stops_the_monitor_after_its_viewer_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal sends it to both while the viewer starts; whichever comes first, one `fg` continues both."""
    stopped = threading.Event()
    monkeypatch.setattr(terminal_module.os, "kill", lambda *_: stopped.set())
    terminal = terminal_module.Terminal(NoDisplay(), lambda: ["sh", "-c", "kill -STOP $$"])  # type: ignore[arg-type]
    assert terminal.is_suspension_meant(), "no viewer has the terminal"
    terminal.open_viewer()
    assert stopped.wait(PATIENCE_S)
    assert [terminal.is_suspension_meant() for _ in range(2)] == [True, False]
    monkeypatch.undo()
    for viewer in started_with("kill -STOP $$"):
        viewer.send_signal(signal.SIGCONT)
    wait_for(terminal.is_suspension_meant, "the end of the viewer")
