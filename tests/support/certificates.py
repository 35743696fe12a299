"""Certificates of every kind, made on the spot."""

import datetime as dt
import ssl
from collections.abc import Sequence
from pathlib import Path

import trustme


class Authority:
    """A certificate authority; `ca_file` is what a client must trust to trust it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """The TLS side of a server that shows a certificate for `names`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issue(names, expired=expired).configure_cert(context)
        return context

    def server_file(self, name: str, *, expired: bool = False, key: trustme.KeyType = trustme.KeyType.ECDSA) -> str:
        """A file with the key and the certificate of a server of this name, for one in a process of its own."""
        file = self._folder / f"{name}.pem"
        self._issue((name,), expired=expired, key=key).private_key_and_cert_chain_pem.write_to_path(file)
        return str(file)

    def _issue(
        self, names: Sequence[str], *, expired: bool, key: trustme.KeyType = trustme.KeyType.ECDSA
    ) -> trustme.LeafCert:
        long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        begin, end = (long_ago, long_ago + dt.timedelta(days=365)) if expired else (None, None)
        return self._ca.issue_cert(*names, not_before=begin, not_after=end, key_type=key)
