"""Real channels: a web hook and a mail server by apprise, a program, a cluster of Alertmanagers."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.display.view_model.overview import slug
from monitoring.models import Alert, AlertType, Cause
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.channels import command as commands
from monitoring.notifications.channels import services
from monitoring.notifications.channels.alertmanager import VALID_MS, Alertmanager
from monitoring.notifications.channels.command import Command
from monitoring.notifications.channels.services import Service, without_secrets
from monitoring.shell import Program
from tests.support.monitor import wait_for
from tests.support.notifying import Desk, channel_config
from tests.support.receivers import MailServer, WebHook, cluster

DOWN = Alert(AlertType.ALERT, "https://a", 1_767_225_600_000, 1_767_225_570_000, None, 75.0, Cause.STATUS, "", "HTTP 503")
MESSAGE = Message("alert", "DOWN: shop", "shop is down", [DOWN], [("https://a", "shop")])
SECRET = "hunter2secret"


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with WebHook() as server:
        yield server


def hook_channel(hook: WebHook) -> Service:
    return Service(channel_config(url=f"json://user:{SECRET}@127.0.0.1:{hook.port}/{SECRET}"))


def refusal(channel: Service | Command | Alertmanager) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        channel.send(MESSAGE)
    assert SECRET not in str(caught.value)
    return caught.value


def test_a_web_hook_gets_title_and_text(hook: WebHook) -> None:
    hook_channel(hook).send(MESSAGE)
    assert [(it["title"], it["message"], it["type"]) for it in hook.received] == [("DOWN: shop", "shop is down", "failure")]


@pytest.mark.parametrize(("status", "is_final"), [(404, True), (403, True), (429, False), (503, False)])
def test_a_web_hook_that_refuses_is_tried_again_where_that_may_help(hook: WebHook, status: int, is_final: bool) -> None:
    hook.status = status
    error = refusal(hook_channel(hook))
    assert error.is_final is is_final
    assert f"error={status}" in str(error)


def test_a_web_hook_that_is_not_there_is_tried_again() -> None:
    with WebHook() as hook:
        channel = hook_channel(hook)
    error = refusal(channel)
    assert not error.is_final
    assert "Connection refused" in str(error)


def test_a_web_hook_that_answers_after_some_seconds_is_told_once(hook: WebHook) -> None:
    hook.hanging = threading.Event()
    threading.Timer(5, hook.hanging.set).start()
    hook_channel(hook).send(MESSAGE)
    assert hook.titles == ["DOWN: shop"]


def test_a_web_hook_that_hangs_is_given_up(hook: WebHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PATIENCE_S", 2.0)
    hook.hanging = threading.Event()
    error = refusal(Service(channel_config(url=f"json://127.0.0.1:{hook.port}/?rto=60")))
    assert not error.is_final
    assert str(error) == "no answer within 2 s"


def test_mail_arrives_and_a_refusal_for_good_is_one() -> None:
    with MailServer() as server:
        channel = Service(
            channel_config(url=f"mailto://127.0.0.1:{server.port}/?from=monitor@example.org&to=ops@example.org")
        )
        channel.send(MESSAGE)
        assert "Subject: DOWN: shop" in server.mails[0]
        server.refusal = "451 try again later"
        assert not refusal(channel).is_final
        server.refusal = "554 no mail from you"
        assert refusal(channel).is_final


@pytest.mark.parametrize("words", ["451 4.7.1 greylisted, come back", '554 5.7.1 it\'s "spam"'])
def test_what_a_mail_server_says_is_the_reason(words: str) -> None:
    with MailServer() as server:
        server.refusal = words
        url = f"mailto://127.0.0.1:{server.port}/?from=monitor@example.org&to=ops@example.org"
        caught = refusal(Service(channel_config(url=url)))
    assert (str(caught), caught.is_final) == (f'Sending email to "***@***" failed; {words}', words.startswith("5"))


SERVICES = {
    "json://127.0.0.1/": "custom_json",
    "JSONS://user:password@example.org/hook": "custom_json",
    "mailto://127.0.0.1/?from=monitor@example.org&to=ops@example.org": "email",
    "ntfys://ntfy.example.org/ops": "ntfy",
    "tgram://123456789:ABC-token/987654321/": "telegram",
    "kodi://127.0.0.1/": "kodi",  # its source does not say its scheme plainly
    "https://discord.com/api/webhooks/1234567890/abcdefghij": "discord",  # nor is this one a scheme of its own
}


@pytest.mark.parametrize("url", SERVICES)
def test_apprise_finds_the_service_and_loads_it_alone_where_it_can(url: str) -> None:
    """In a process of its own: what is imported once stays."""
    program = f"""
import json, sys
sys.path.insert(0, {str(services.PROGRAM.parent)!r})
from service_process import service_of
service = service_of({url!r})
print(json.dumps([service.__module__, sum(name.startswith("apprise.plugins.") for name in sys.modules)]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    module, loaded = json.loads(ended.stdout)
    assert module.split(".")[:3] == ["apprise", "plugins", SERVICES[url]]
    assert (loaded < 10) is (SERVICES[url] not in ("kodi", "discord"))


def test_the_process_that_sends_loads_neither_the_monitor_nor_what_would_only_read_answers(hook: WebHook) -> None:
    """Every message costs what this process takes."""
    program = f"""
import runpy, sys
runpy.run_path({str(services.PROGRAM)!r}, run_name="__main__")
print(*(name for name, module in sys.modules.items() if module), file=sys.stderr)
"""
    task = json.dumps({"urls": [f"json://127.0.0.1:{hook.port}/"], "title": "DOWN", "text": "down", "kind": "failure"})
    ended = subprocess.run([sys.executable, "-c", program], input=task, capture_output=True, text=True, check=True)
    loaded = set(ended.stderr.splitlines()[-1].split())
    assert hook.titles == ["DOWN"]
    assert loaded >= {"apprise", "requests", "urllib3"}
    assert not loaded & {"monitoring", "charset_normalizer", "brotli", "brotlicffi", "backports.zstd", "yaml", "markdown"}


def test_no_part_of_a_url_is_in_a_reason() -> None:
    url = "tgram://123456:ABC-token/987654321/?to=me%40example.org"
    said = without_secrets("failed for bot 123456:ABC-token, chat 987654321, me@example.org\n\x1b[31m", url)
    assert all(part not in said for part in ("123456", "ABC-token", "987654321", "example.org", "\x1b", "\n"))


def command(*words: str) -> Command:
    return Command(channel_config(kind="command", command=words))


def test_a_program_gets_the_message_as_json(tmp_path: Path) -> None:
    command("sh", "-c", f"cat > {tmp_path / 'message'}").send(MESSAGE)
    found = json.loads((tmp_path / "message").read_text())
    assert (found["event"], found["title"], found["drill"]) == ("alert", "DOWN: shop", False)
    assert [(it["type"], it["name"], it["detail"]) for it in found["alerts"]] == [("alert", "shop", "HTTP 503")]


def test_a_program_is_told_the_location_as_everybody_else_who_reads_json(tmp_path: Path, desk: Desk) -> None:
    desk.sender.watched = replace(desk.sender.watched, location="home")
    desk.down(desk.sites[0])
    desk.go_on(10)
    command("sh", "-c", f"cat > {tmp_path / 'message'}").send(desk.scripted.accepted[0])
    (alert,) = json.loads((tmp_path / "message").read_text())["alerts"]
    assert (alert["name"], alert["location"]) == ("shop", "home")


@pytest.mark.parametrize(("sites", "at"), [(1, f"site/{slug('https://shop.example.org')}"), (2, "")])
def test_a_message_says_where_the_status_page_is_if_there_is_one(desk: Desk, sites: int, at: str) -> None:
    page = "http://127.0.0.1:8088/"
    desk.sender.watched = replace(desk.sender.watched, program=Program(page=page))
    desk.down(*desk.sites[:sites])
    desk.go_on(20)
    (message,) = desk.scripted.accepted
    assert message.text.splitlines()[-1] == f"Page: {page}{at}"


@pytest.mark.parametrize(("status", "is_final"), [(1, False), (100, True)])
def test_a_program_that_fails_says_why(status: int, is_final: bool) -> None:
    error = refusal(command("sh", "-c", f"echo bad news {SECRET} >&2; exit {status} # {SECRET}", SECRET))
    assert error.is_final is is_final
    assert str(error) == f"exit status {status}: bad news ***"


def test_a_program_that_never_stops_writing_is_given_up_and_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PATIENCE_S", 2.0)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert str(refusal(command("sh", "-c", "yes & exec yes >&2"))) == "no answer within 2 s"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 30_000


def test_a_program_that_leaves_something_in_the_background_has_told_it(tmp_path: Path) -> None:
    command("sh", "-c", f"sleep 60 & echo $! > {tmp_path / 'pid'}").send(MESSAGE)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # it is still there


def test_a_program_need_not_read_what_it_is_given() -> None:
    command("true").send(replace(MESSAGE, text="long " * 100_000))


def test_a_program_that_is_not_there_is_tried_again() -> None:
    assert str(refusal(command("/nowhere/program"))) == "No such file or directory"


def test_a_cluster_of_alertmanagers_tells_people_once(tmp_path: Path) -> None:
    """Every member is told, again and again; a member that is gone does no harm, and what is over is told as over."""
    with WebHook() as hook, cluster(tmp_path, f"http://127.0.0.1:{hook.port}/") as members:
        url = f"alertmanager+http://{','.join(members.members)}"
        channel = Alertmanager(ChannelConfig("am", channel_config(kind="alertmanager").kind, url=url, location="home"))
        now_ms = time.time_ns() // 1_000_000
        alert = Alert(AlertType.ALERT, "https://a", now_ms, now_ms - 30_000, None, 75.0, Cause.STATUS, "", "HTTP 503")
        channel.send_level([alert], {"https://a": "shop"}, now_ms)
        channel.send_level([alert], {"https://a": "shop"}, now_ms + 1_000)
        for number in range(2):
            (found,) = members.alerts(number)
            assert found["labels"] == {"alertname": "WebsiteDown", "site": "https://a", "location": "home"}
            assert found["annotations"]["detail"] == "HTTP 503"
        wait_for(lambda: hook.received, "the notification")
        over = Alert(AlertType.RECOVERY, "https://a", now_ms + 2, alert.start_ms, now_ms + 1, 95.0, Cause.STATUS)
        channel.send_level([over], {}, now_ms + VALID_MS)
        wait_for(lambda: [it["status"] for it in hook.received] == ["firing", "resolved"], "firing once, resolved once")
        members.processes[1].kill()
        members.processes[1].wait()
        channel.send_level([replace(alert, host="https://b")], {}, now_ms + VALID_MS)
        wait_for(lambda: [it["status"] for it in hook.received][2:] == ["firing"], "what the member that is left tells")


def test_no_alertmanager_at_all_is_tried_again() -> None:
    url = f"alertmanager+http://user:{SECRET}@127.0.0.1:1,127.0.0.1:2"
    error = refusal(Alertmanager(channel_config(kind="alertmanager", url=url)))
    assert not error.is_final
    assert str(error) == "127.0.0.1:1 does not answer; 127.0.0.1:2 does not answer"
