"""Real receivers of notifications on loopback: a web hook, a mail server, a cluster of Alertmanagers."""

import contextlib
import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.influxd import free_port
from tests.support.monitor import wait_for


class WebHook:
    """Accepts JSON by POST; `status` is what it answers, `hanging` lets it never answer."""

    def __init__(self, port: int = 0) -> None:
        self.received: list[Any] = []
        self.status = 200
        self.asked = threading.Event()
        self.hanging: threading.Event | None = None
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.asked.set()
                if hook.hanging:
                    hook.hanging.wait(60)
                if hook.status < 300:
                    hook.received.append(content)
                with contextlib.suppress(ConnectionError):  # whoever asked may have been killed
                    self.send_response(hook.status)
                    self.end_headers()

            def log_message(self, *arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> "WebHook":
        return self

    def __exit__(self, *_: object) -> None:
        if self.hanging:
            self.hanging.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.received]


class MailServer:
    """Takes mail. `refusal` is what it says in place of taking one; `refused` is how often it has."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.refusal = ""
        self.refused = 0
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self._controller.start()
        self.port = self._controller.port

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusal:
            self.refused += 1
            return self.refusal
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content.decode())
        return "250 OK"

    def __enter__(self) -> "MailServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


def _with_templates() -> Sequence[str]:
    """Debian's Alertmanager reads templates from /usr/share, which those of an unpacked package have to be put into."""
    program = Path(shutil.which("prometheus-alertmanager") or "prometheus-alertmanager")
    share = program.parents[1] / "share"
    if share == Path("/usr/share"):
        return ()
    return "unshare", "-rm", "sh", "-c", f'mount --bind "{share}" /usr/share && exec "$0" "$@"'


class Alertmanagers:
    """A cluster of two members, which tell one web hook."""

    def __init__(self, folder: Path, hook_url: str) -> None:
        ports = [free_port() for _ in range(4)]
        self.members = [f"127.0.0.1:{port}" for port in ports[:2]]
        config = folder / "alertmanager.yml"
        route = {
            "receiver": "hook",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        }
        hook = {"name": "hook", "webhook_configs": [{"url": hook_url, "send_resolved": True}]}
        config.write_text(json.dumps({"route": route, "receivers": [hook]}))
        self.processes = [
            subprocess.Popen(
                [
                    *_with_templates(),
                    *("prometheus-alertmanager", f"--config.file={config}", f"--web.listen-address={self.members[number]}"),
                    *(f"--storage.path={folder / str(number)}", f"--cluster.listen-address=127.0.0.1:{ports[2 + number]}"),
                    *(f"--cluster.peer=127.0.0.1:{ports[3 - number]}", "--cluster.peer-timeout=5s"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for number in range(2)
        ]
        for member in self.members:
            wait_for(lambda member=member: self.is_ready(member), f"{member} is ready", 60)

    def is_ready(self, member: str) -> bool:
        with contextlib.suppress(OSError):
            status = self._get(member, "/api/v2/status")
            return bool(status["cluster"]["status"] == "ready" and len(status["cluster"]["peers"]) == 2)
        return False

    def alerts(self, number: int = 0) -> Sequence[Any]:
        found: Sequence[Any] = self._get(self.members[number], "/api/v2/alerts")
        return found

    def _get(self, member: str, path: str) -> Any:
        with urllib.request.urlopen(f"http://{member}{path}", timeout=5) as answer:
            return json.load(answer)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def cluster(folder: Path, hook_url: str) -> Iterator[Alertmanagers]:
    members = Alertmanagers(folder, hook_url)
    try:
        yield members
    finally:
        members.close()
