"""Certificates such as real sites have: ECDSA, issued by an intermediate authority, checked against a whole bundle."""

from pathlib import Path

import certifi
import trustme


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Two files: the key and chain of a server on the loopback interface; all authorities one trusts, its own added."""
    root = trustme.CA(key_type=trustme.KeyType.ECDSA)
    server, bundle = directory / "server.pem", directory / "bundle.pem"
    leaf = root.create_child_ca(key_type=trustme.KeyType.ECDSA).issue_cert("127.0.0.1", "localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(server))
    bundle.write_bytes(Path(certifi.where()).read_bytes() + root.cert_pem.bytes())
    return server, bundle
