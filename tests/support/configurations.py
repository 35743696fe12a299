"""Configurations that tests write, read as a program reads them."""

from collections.abc import Mapping
from pathlib import Path

from monitoring.config import Config, load_config, parse_config
from monitoring.models import Site

URL = "https://example.org"


def parse(data: object, environ: Mapping[str, str] | None = None, **more: str) -> Config:
    return parse_config(data, source="config.json", environ=environ or {}, path=Path("/etc/monitor/config.json"), **more)


def site(environ: Mapping[str, str] | None = None, /, **keys: object) -> Site:
    """The one site of a configuration, with these keys."""
    return parse({"websites": [{"URL": URL, **keys}]}, environ).sites[0]


def load_text(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    return load_config(path, {})
