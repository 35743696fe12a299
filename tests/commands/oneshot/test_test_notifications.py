"""`--test-notifications` says of each channel whether it works; `-a` says of each record who was told of it."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from monitoring.commands.oneshot.drill import deliver
from monitoring.config.keys.notifications import CHANNELS, ChannelConfig
from monitoring.models import Alert, AlertType, Cause
from monitoring.storage.notifications import Delivery, Entry, Event
from monitoring.storage.sqlite.store import LocalStore
from monitoring.thresholds import Rule
from tests.support.monitor import ROOT, write_config
from tests.support.receivers import WebHook

SECRET = "hunter2secret"
START_MS = 1_767_225_600_000
RULE = Rule(recovery_threshold=Fraction(80), window_ms=4_000)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(ROOT / "monitoringApp.py"), *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)


def test_each_channel_is_told_a_marked_message_and_said_to_work_or_not(tmp_path: Path) -> None:
    channels = [
        {"name": "log", "command": ["sh", "-c", f"cat > {tmp_path}/message"]},
        {"name": "pager", "command": ["sh", "-c", "echo no line >&2; exit 1", SECRET]},
        f"json://127.0.0.1:1/{SECRET}",
    ]
    config = write_config(tmp_path, ["http://127.0.0.1:1/"], notifications=channels)
    found = run("--test-notifications", "-c", str(config))
    log, pager, hook = found.stdout.splitlines()
    assert (log, pager) == ("log: ok", "pager: exit status 1: no line")
    assert hook.startswith("json[2]: ")
    assert "Connection refused" in hook
    assert found.returncode == 1
    assert SECRET not in found.stdout + found.stderr
    message = json.loads((tmp_path / "message").read_text())
    assert (message["event"], message["drill"]) == ("test", True)


def test_without_channels_it_says_so(tmp_path: Path) -> None:
    found = run("--test-notifications", "-c", str(write_config(tmp_path, ["http://127.0.0.1:1/"])))
    assert (found.returncode, found.stderr) == (1, "there are no channels: the configuration has no notifications\n")


def test_the_history_says_who_was_told_and_who_was_not(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:1/"])
    store = LocalStore(tmp_path / "config.db")
    alert = Alert(AlertType.ALERT, "http://127.0.0.1:1", START_MS, START_MS, None, 0.0, Cause.CONNECT)
    store.append((), [alert], START_MS)
    done = {"ops": (Delivery.SENT, ""), "mail": (Delivery.LATE, ""), "pager": (Delivery.FAILED, "error=404")}
    store.set_delivery(
        [
            Entry(channel, Event.ALERT, START_MS, alert, state, START_MS + 240_000, why)
            for channel, (state, why) in done.items()
        ]
    )
    store.close()
    found = json.loads(run("-a", "--once", "--format", "json", "-c", str(config)).stdout)
    assert {it["channel"]: (it["state"], it["reason"]) for it in found["delivery"]} == {
        "ops": ("sent", None),
        "mail": ("late", None),
        "pager": ("failed", "error=404"),
    }
    text = run("-a", "--once", "-c", str(config)).stdout
    assert "  sent by ops; mail: late by 4 min; pager: not sent (error=404)" in text


def test_a_drill_tells_the_users_channels_of_an_outage_and_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alert = Alert(AlertType.ALERT, "http://a", START_MS, START_MS, None, 0.0, Cause.CONNECT)
    recovery = Alert(AlertType.RECOVERY, "http://a", START_MS + 9, START_MS, START_MS + 5, 85.0, Cause.CONNECT)
    with WebHook() as hook:
        kind = CHANNELS[-1]
        good = ChannelConfig(
            "good", kind, url=f"json://127.0.0.1:{hook.port}/", sites=("somebody else",), on=frozenset({"certificate"})
        )
        answers = deliver([alert, recovery], RULE, [good], tmp_path)
    assert answers == {"good": None}
    assert capsys.readouterr().out == "      sending DOWN, for at most 45 s\n      sending UP, for at most 45 s\n"
    assert hook.titles == ["DRILL: DOWN: drill", "DRILL: UP: drill"]
    assert not [it for it in hook.received if "--explain" in it["message"]]  # no configuration has this site
    assert "Availability over 4 s: 85.00 % (a recovery needs 80 %)" in hook.received[1]["message"]
