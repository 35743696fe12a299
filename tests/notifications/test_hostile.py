"""Names and reasons are data in every channel, whatever they hold and however long they are."""

import email.policy
import json
import time
from email.parser import Parser
from pathlib import Path

import pytest

from monitoring.models import Alert, AlertType, Cause
from monitoring.notifications.base import Message
from monitoring.notifications.channels.alertmanager import Alertmanager
from monitoring.notifications.channels.command import Command
from monitoring.notifications.channels.services import Service
from tests.support.notifying import Desk, channel_config, site
from tests.support.receivers import MailServer, WebHook, cluster

HOSTILE = (
    "line\nbreak\r\nBcc: all@example.org\r\n\r\nbody",
    "<b>bold</b> &amp; <script>alert(1)</script> *_`~[x](y)",
    "long " * 2_000,
    "\x1b[31mred\x00\x07\u202ebackwards\u2028",
    "💩 ünïcødé 日本語",
    "%s {0} {title} ${HOME} $(id) `id` '; DROP TABLE alerts; --",
    "\ud800",
)
KINDS = ("breaks", "markup", "long", "controls", "emoji", "templates", "no text")


def told(folder: Path, text: str) -> Message:
    """The message of a site that has this name, and fails for this reason."""
    with Desk(folder / "monitor.db", [site("shop")]) as desk:
        named = site("shop")
        desk.watch([type(named)(named.host, named.address, name=text)])
        desk.down(named, detail=text.encode(errors="replace").decode())
        desk.go_on(10)
        (message,) = desk.scripted.accepted
        return message


@pytest.fixture(params=HOSTILE, ids=KINDS)
def message(request: pytest.FixtureRequest, tmp_path: Path) -> Message:
    return told(tmp_path, str(request.param))


def test_a_title_is_one_short_line_and_a_text_holds_no_control_character(message: Message) -> None:
    assert message.title.isprintable()
    assert len(message.title) <= 110
    lines = message.text.split("\n")
    assert all(line.isprintable() for line in lines)
    assert [line.partition(" ")[0] for line in lines[1:]] == ["Cause:", "Availability", "More:"]


def test_a_mail_has_one_subject_and_one_recipient(message: Message) -> None:
    with MailServer() as server:
        url = f"mailto://127.0.0.1:{server.port}/?from=monitor@example.org&to=ops@example.org&format=text"
        Service(channel_config(url=url)).send(message)
        (raw,) = server.mails
    mail = Parser(policy=email.policy.default).parsestr(raw)
    assert mail["Subject"] == message.title.strip()
    assert (mail["To"], mail["Bcc"], mail["Cc"]) == ("ops@example.org", None, None)


def test_a_web_hook_and_a_program_get_it_as_it_is(message: Message, tmp_path: Path) -> None:
    with WebHook() as hook:
        Service(channel_config(url=f"json://127.0.0.1:{hook.port}/")).send(message)
        assert hook.titles == [message.title.strip()]
        assert hook.received[0]["message"] == message.text
    Command(channel_config(kind="command", command=("sh", "-c", f"cat > {tmp_path / 'given'}"))).send(message)
    found = json.loads((tmp_path / "given").read_text())
    assert (found["title"], found["text"]) == (message.title, message.text)
    assert [it["detail"] for it in found["alerts"]] == [it.detail for it in message.alerts]


def test_alertmanagers_take_them_all(tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    hosts = [f"https://a/{number}?\"'{{}}=,💩" for number in range(len(HOSTILE))] + ["https://a/" + "x" * 7_000]
    alerts = [
        Alert(AlertType.ALERT, host, now_ms, now_ms - 30_000, None, 75.0, Cause.STATUS, "", detail)
        for host, detail in zip(hosts, (*HOSTILE, ""), strict=True)
    ]
    with WebHook() as hook, cluster(tmp_path, f"http://127.0.0.1:{hook.port}/") as members:
        url = f"alertmanager+http://{','.join(members.members)}"
        channel = Alertmanager(channel_config(kind="alertmanager", url=url))
        channel.send_level(alerts, dict(zip(hosts, HOSTILE, strict=False)), now_ms)
        for number in range(2):
            assert {it["labels"]["site"] for it in members.alerts(number)} == set(hosts)


def test_what_is_too_long_for_a_service_is_cut_and_not_refused_by_it(tmp_path: Path) -> None:
    many = [site(f"site{number}") for number in range(1_000)]
    with Desk(tmp_path / "monitor.db", many) as desk, WebHook() as hook:
        desk.down(*many, detail="bad " * 70)
        desk.go_on(20)
        (message,) = desk.scripted.accepted
        assert message.title == "DOWN: 1000 of 1000 sites"
        assert "and 950 more" in message.text
        assert len(message.text) > 10_000
        Service(channel_config(url=f"ntfy://127.0.0.1:{hook.port}/ops")).send(message)
        assert 7_000 < len(hook.received[0]["message"]) <= 7_800  # what apprise knows of ntfy
