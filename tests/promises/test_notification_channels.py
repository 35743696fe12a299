"""A real monitor with a channel of each kind: every one of them tells each state change once, whatever ends meanwhile."""

import json
import shlex
from email import message_from_string
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from monitoring.models import Window
from tests.support.monitor import Monitor, local_file, reading, stored_checks, wait_for, wait_for_checks, write_config
from tests.support.receivers import MailServer, WebHook, cluster
from tests.support.target import Target

pytestmark = pytest.mark.promise

CHANNELS = ("cluster", "hook", "mail", "program")


def told(config: Path, event: str) -> set[str]:
    """The channels that have told it."""
    with reading(local_file(config)) as reader:
        entries = list(reader.deliveries(Window(0, 1 << 60)))
    return {it.channel for it in entries if str(it.event) == event and str(it.state) in ("sent", "late")}


def subjects(server: MailServer) -> list[str]:
    return [str(make_header(decode_header(message_from_string(mail)["Subject"]))) for mail in server.mails]


def titles(file: Path) -> list[str]:
    """What the program was given."""
    return [json.loads(line)["title"] for line in file.read_text().splitlines() if line]


def test_each_tells_an_outage_once_across_a_kill_and_without_a_member_of_its_cluster(tmp_path: Path) -> None:
    file = tmp_path / "given"
    with (
        Target() as target,
        MailServer() as mail,
        WebHook() as hook,
        WebHook() as behind,
        cluster(tmp_path, f"http://127.0.0.1:{behind.port}/") as members,
    ):
        channels = [
            {"name": "mail", "url": f"mailto://127.0.0.1:{mail.port}/?from=monitor@example.org&to=ops@example.org"},
            {"name": "hook", "url": f"json://127.0.0.1:{hook.port}/"},
            {"name": "cluster", "url": f"alertmanager+http://{','.join(members.members)}"},
            {"name": "program", "command": ["sh", "-c", f"cat >> '{file}'; echo >> '{file}'"]},
        ]
        websites = [{"URL": target.url("/one"), "name": "it's one"}, {"URL": target.url("/two")}]
        config = write_config(tmp_path, [], websites=websites, notifications=channels)
        with Monitor(config) as monitor:
            wait_for_checks(local_file(config))
            target.go_down("/one")
            wait_for(lambda: told(config, "alert") == set(CHANNELS), "all channels tell that it is down")
            wait_for(lambda: behind.received, "the cluster tells it")
            monitor.kill()
        members.processes[1].kill()
        members.processes[1].wait()
        with Monitor(config) as monitor:
            wait_for_checks(local_file(config), len(stored_checks(local_file(config))) + 30)
            target.come_back("/one")
            wait_for(lambda: told(config, "recovery") == set(CHANNELS), "all channels tell that it is up")
            wait_for(lambda: len(behind.received) > 1, "the member that is left tells it")
            assert monitor.terminate() == 0
        once_each = ["DOWN: it's one", "UP: it's one"]
        assert (subjects(mail), hook.titles, titles(file)) == (once_each, once_each, once_each)
        assert [it["status"] for it in behind.received] == ["firing", "resolved"]
        assert {it["alerts"][0]["labels"]["site"] for it in behind.received} == {target.url("/one")}
        command = shlex.split(behind.received[0]["alerts"][0]["annotations"]["more"])
        assert command[-4:] == ["--explain", "it's one", "-c", str(config)]
    with reading(local_file(config)) as reader:
        assert len(reader.deliveries(Window(0, 1 << 60))) == 2 * len(CHANNELS)


def test_a_mail_server_that_refuses_for_a_while_and_then_for_good(tmp_path: Path) -> None:
    with Target() as target, MailServer() as mail:
        url = f"mailto://127.0.0.1:{mail.port}/?from=monitor@example.org&to=ops@example.org"
        websites = [{"URL": target.url(f"/{name}"), "name": name} for name in ("one", "two")]
        config = write_config(tmp_path, [], websites=websites, notifications=[{"name": "mail", "url": url}])
        with Monitor(config, "--silent") as monitor:
            wait_for_checks(local_file(config))
            mail.refusal = "451 try again later"
            target.go_down("/one")
            wait_for(lambda: mail.refused > 1, "it is tried again")
            mail.refusal = ""
            wait_for(lambda: told(config, "alert"), "it is told")
            mail.refusal = "554 no mail from you"
            target.come_back("/one")
            wait_for(lambda: [it for it in monitor.errors if "1 state change could not be sent by mail" in it], "it is said")
            refused = mail.refused
            mail.refusal = ""
            target.go_down("/two")
            wait_for(lambda: len(mail.mails) > 1, "what comes later is told")
            wait_for(lambda: "notifications by mail are sent again" in monitor.errors, "it is said that this is over")
            assert monitor.terminate() == 0
        assert subjects(mail) == ["DOWN: one", "DOWN: two"]
        assert mail.refused == refused
