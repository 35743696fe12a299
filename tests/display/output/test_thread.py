"""What is shown is drawn in its own time: nobody waits for a terminal that stands still, and no alert is lost."""

import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from monitoring.display.output.outputs import PlainOutput, SilentOutput
from monitoring.display.output.streams import Descriptor
from monitoring.display.output.thread import DisplayThread
from monitoring.display.view_model.values import Closing, Header, StatsReport
from monitoring.models import Alert, AlertType, Window
from tests.support.waiting import eventually

HEADER = Header(1, "local", "as configured")
CLOSING = Closing(0, 60_000, ())
SENTENCE = "the display: ZeroDivisionError: integer division or modulo by zero"


def report(length_ms: int, until_ms: int) -> StatsReport:
    return StatsReport(Window.before(until_ms, length_ms), "local", ())


def alert(time_ms: int) -> Alert:
    return Alert(AlertType.ALERT, "shop", time_ms, time_ms, None, 50.0, None)


class Recorder(SilentOutput):
    """Remembers what it was given; while `held` is clear it stands still."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.free = threading.Event()
        self.free.set()
        self.given: list[object] = []
        self.raises: Exception | None = None

    def _take(self, what: object) -> None:
        self.free.wait(20)
        if self.raises:
            raise self.raises
        self.given.append(what)

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._take(header)

    def statistics(self, report: StatsReport) -> None:
        self._take((report.length_ms, report.window.until_ms))

    def key(self, key: str) -> bool:
        self._take(key)
        return key == "v"

    def redraw(self) -> None:
        self._take("redrawn")

    def state_change(self, alert: Alert, name: str | None) -> None:
        self._take(alert)

    def history(self, alerts: Sequence[Alert]) -> None:
        self._take(alerts)

    def notice(self, text: str) -> None:
        self._take(text)

    def read_error(self, text: str | None) -> None:
        self._take(text)

    def refresh(self, header: Header, now_ms: int, statuses: object, ongoing: Sequence[Alert]) -> None:
        self._take(1_000 // now_ms)

    def close(self, closing: Closing | None) -> None:
        self._take(closing)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.free.set()


def test_everything_is_shown_in_order(recorder: Recorder) -> None:
    display = DisplayThread(recorder)
    display.start(HEADER, 0)
    display.state_change(alert(1), None)
    display.notice("one")
    display.notice("one")
    display.close(CLOSING)
    assert recorder.given == [HEADER, alert(1), "one", "one", CLOSING]


def test_of_a_terminal_that_stood_still_every_alert_is_seen_and_the_newest_of_everything_else(recorder: Recorder) -> None:
    recorder.free.clear()
    display = DisplayThread(recorder)
    display.start(HEADER, 0)
    for moment in range(1, 1_001):
        display.statistics(report(600_000, moment))
        display.statistics(report(3_600_000, moment))
        display.refresh(HEADER, moment, dict, ())
        display.read_error(f"trouble {moment}")
        if moment % 100 == 0:
            display.state_change(alert(moment), None)
    recorder.free.set()
    display.close(CLOSING)
    alerts = [alert(moment) for moment in range(100, 1_001, 100)]
    assert recorder.given == [
        HEADER,
        *alerts[:9],
        (600_000, 1_000),
        (3_600_000, 1_000),
        1,
        "trouble 1000",
        alerts[9],
        CLOSING,
    ]


def test_however_many_keys_wait_the_screen_is_drawn_once_and_news_are_not_behind_it(recorder: Recorder) -> None:
    recorder.free.clear()
    display = DisplayThread(recorder)
    opened: list[bool] = []
    display.use_viewer(lambda: opened.append(True), lambda: None)
    display.start(HEADER, 0)
    for key in "www":
        display.key(key)
    display.refresh(HEADER, 1_000, dict, ())
    recorder.free.set()
    eventually(lambda: "redrawn" in recorder.given)
    display.key("v")
    display.close(CLOSING)
    assert recorder.given == [HEADER, "w", "w", "w", 1, "redrawn", "v", CLOSING]
    assert opened == [True]


def test_what_cannot_be_drawn_is_said_once_and_the_rest_is_drawn(recorder: Recorder) -> None:
    display = DisplayThread(recorder)
    display.start(HEADER, 0)
    eventually(lambda: recorder.given)
    for number in range(3):
        display.refresh(HEADER, 0, dict, ())  # it divides by it
        display.state_change(alert(number), None)
        eventually(lambda: alert(number) in recorder.given)  # noqa: B023 - asked at once
    display.close(CLOSING)
    assert recorder.given == [HEADER, alert(0), SENTENCE, alert(1), alert(2), CLOSING]
    assert display.failure is None


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), OSError(5, "Input/output error")])
def test_who_reads_no_more_is_a_failure_that_ends_the_drawing(recorder: Recorder, error: OSError) -> None:
    recorder.raises = error
    display = DisplayThread(recorder)
    display.start(HEADER, 0)
    eventually(lambda: display.failure)
    display.close(CLOSING)
    assert recorder.given == []


def test_a_full_disk_under_what_is_printed_is_said_once_and_ends_nothing() -> None:
    """Checks and alerts go on, and are printed again when there is room."""
    with open("/dev/full", "w") as full:
        stdout, errors = Descriptor(full), io.StringIO()
    display = DisplayThread(PlainOutput(stdout, errors), [stdout])
    display.start(HEADER, 0)
    display.state_change(alert(1), None)
    display.close(CLOSING)
    assert errors.getvalue() == "nothing can be printed: No space left on device\n"
    assert display.failure is None


class FullPipe:
    """A pipe into which nothing more goes, and a display that prints plain lines into it."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4_096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        with os.fdopen(writing, "w") as standard:
            self.stream = Descriptor(standard)
        self.display = DisplayThread(PlainOutput(self.stream, self.stream), [self.stream])
        self.display.start(HEADER, 0)

    def read_until(self, holds: Callable[[bytes], object]) -> bytes:
        data = b""
        while not holds(data):
            data += os.read(self.reading, 65_536)
        return data


@pytest.fixture
def pipe() -> Iterator[FullPipe]:
    pipe = FullPipe()
    yield pipe
    os.close(pipe.reading)


def test_a_pipe_that_nobody_reads_is_told_from_one_that_is_slow(pipe: FullPipe) -> None:
    eventually(lambda: pipe.display.stands_still() and pipe.display.stands_still())
    pipe.read_until(lambda data: b"waiting for the first checks" in data)
    eventually(lambda: not pipe.display.stands_still())


def test_nobody_waits_at_the_end_for_a_pipe_that_nobody_reads(pipe: FullPipe) -> None:
    """And what waits is still shown if somebody reads again."""
    pipe.display.state_change(alert(7), None)
    pipe.display.close(CLOSING)
    data = pipe.read_until(lambda data: b"== monitored" in data).lstrip(b"x").decode().splitlines()
    assert data[0].startswith("== waiting for the first checks")
    assert data[1].startswith("Website shop is down.")


def test_a_full_pipe_that_does_not_block_is_waited_for_like_any_other(pipe: FullPipe) -> None:
    """Some other program that shares it has asked for that."""
    with os.fdopen(os.dup(pipe.stream.fileno()), "w") as standard:
        stream = Descriptor(standard)
    os.set_blocking(stream.fileno(), False)  # for both: it is the pipe's
    display = DisplayThread(PlainOutput(stream, stream), [stream])
    display.start(HEADER, 0)
    eventually(lambda: display.stands_still() and display.stands_still())
    assert display.failure is None
    pipe.read_until(lambda data: b"waiting for the first checks" in data)
    display.close(CLOSING)
    pipe.read_until(lambda data: b"== monitored" in data)


def test_text_reaches_a_descriptor_of_its_own_in_whatever_encoding(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as standard:
        stream = Descriptor(standard)
        stream.write("bücher ☃\n")
        assert (tmp_path / "out").read_bytes() == b""
    stream.flush()
    assert (tmp_path / "out").read_bytes() == b"b\\xfccher \\u2603\n"
    assert not stream.isatty()


def test_what_was_closed_before_the_beginning_takes_everything() -> None:
    stream = Descriptor(None)
    stream.write("x")
    stream.flush()
    assert stream.progress() is None
