"""A real monitor of a real site whose certificate expires soon, and a web hook that is told of it."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
import trustme

from monitoring.models import Window
from monitoring.storage.notifications import Entry
from tests.support.monitor import Monitor, local_file, reading, stored_checks, wait_for, wait_for_checks, write_config
from tests.support.receivers import WebHook
from tests.support.servers import HttpServer

pytestmark = pytest.mark.promise


def deliveries(config: Path) -> list[Entry]:
    with reading(local_file(config)) as reader:
        return list(reader.deliveries(Window(0, 1 << 60)))


def told(monitor: Monitor) -> list[str]:
    return [line for line in monitor.errors if "certificate expires" in line]


def test_it_is_told_once_also_across_restarts_and_once_more_when_it_was_renewed(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def show_one_of(days: int) -> None:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days, minutes=10)
        authority.issue_cert("127.0.0.1", not_after=until).configure_cert(context)

    show_one_of(days=5)
    with HttpServer(tls=context) as server, WebHook() as hook:
        url, hooks = server.url(path=""), [f"json://127.0.0.1:{hook.port}/"]
        config = write_config(
            tmp_path, [url], caFile="ca.pem", notifications=hooks, certificateWarning="14d", location="Paris"
        )
        with Monitor(config, "--silent") as monitor:
            wait_for(lambda: hook.titles, "it is told")
            wait_for_checks(local_file(config), 10)
            assert monitor.terminate() == 0
            (line,) = told(monitor)
            assert f"{url}: its certificate expires in 5 days, on " in line
        assert hook.titles == [f"CERTIFICATE EXPIRES SOON: {url} [Paris]"]
        before = len(stored_checks(local_file(config)))
        with Monitor(config, "--silent") as monitor:
            wait_for_checks(local_file(config), before + 4)
            assert monitor.terminate() == 0
            assert not told(monitor)
        assert len(deliveries(config)) == 1
        show_one_of(days=6)
        with Monitor(config, "--silent") as monitor:
            wait_for(lambda: len(hook.titles) > 1, "the new one is told")
            assert monitor.terminate() == 0
            assert "expires in 6 days" in told(monitor)[0]
        assert [str(entry.state) for entry in deliveries(config)] == ["sent", "sent"]
        assert len(hook.titles) == 2
        assert all(check.available for check in stored_checks(local_file(config)))
