"""Certificates of every kind, made on the spot."""

import datetime as dt
import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority; `ca_file` is what a client must trust to trust it."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """The TLS side of a server that shows a certificate for `names`."""
        long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        year = dt.timedelta(days=365)
        times = {"not_before": long_ago, "not_after": long_ago + year} if expired else {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names, **times).configure_cert(context)
        return context
