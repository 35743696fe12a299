"""No part of a secret of a channel is seen anywhere: stderr, `-a`, `-p`, a check of the configuration, the file."""

from pathlib import Path

import pytest

from monitoring.models import Window
from tests.support.influxd import free_port
from tests.support.monitor import Monitor, local_file, reading, wait_for, wait_for_checks, write_config
from tests.support.processes import run_program
from tests.support.receivers import WebHook
from tests.support.target import Target

pytestmark = pytest.mark.promise

SECRET = "hunter2-p%40ss"
TOLD = ("hunter2", "p@ss", "p%40ss")
"""Parts of it, as it is written or decoded."""


def test_no_channel_tells_its_secret_when_it_fails(tmp_path: Path, target: Target) -> None:
    with WebHook() as hook:
        hook.status = 401
        channels = [
            f"json://user:${{SECRET}}@127.0.0.1:{hook.port}/${{SECRET}}",
            f"json://user:${{SECRET}}@127.0.0.1:{free_port()}/${{SECRET}}",
            f"alertmanager+http://user:${{SECRET}}@127.0.0.1:{hook.port},127.0.0.1:{free_port()}",
            {"name": "pager", "command": ["sh", "-c", 'echo "cannot use $0" >&2; exit 100', "${SECRET}"]},
        ]
        config = write_config(tmp_path, [target.url("/one"), target.url("/two")], notifications=channels)
        environ = {"SECRET": SECRET}

        def reasons() -> list[str]:
            with reading(local_file(config)) as reader:
                return [entry.reason for entry in reader.deliveries(Window(0, 1 << 60)) if entry.reason]

        with Monitor(config, "--silent", environ=environ) as monitor:
            wait_for_checks(local_file(config))
            target.go_down("/one")
            wait_for(lambda: len(reasons()) == len(channels), "every channel has failed")
            said = [
                run_program(*arguments, "-c", config, environ=environ)
                for arguments in (
                    *(("-a", "--once"), ("-a", "--once", "--all"), ("-a", "--once", "--format", "json")),
                    *(("-p", "--once"), ("--check-config",)),
                )
            ]
            assert monitor.terminate() == 0
        shown = [*monitor.errors, *(ended.stdout + ended.stderr for ended in said), *reasons()]
        assert "pager: not sent (exit status 100: cannot use ***)" in "".join(shown)
        assert not [text for text in shown if any(part in text for part in TOLD)]
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("config.db*"))
        assert not any(part.encode() in stored for part in TOLD)
