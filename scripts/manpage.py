"""Writes the man page, `docs/website-monitor.1`, from the parser of the command line: `make generate`."""

from pathlib import Path

from argparse_manpage.manpage import Manpage

from monitoring import __version__
from monitoring.commands.cli import EPILOG, make_parser

PAGE = Path(__file__).parents[1] / "docs" / "website-monitor.1"
NAME = "website-monitor"


def man_page() -> str:
    """The whole page, in man's own language."""
    parser = make_parser(NAME)
    parser.epilog = None
    page = Manpage(parser, format="single-commands-section")
    page.date, page.version, page.source, page.manual = "", __version__, f"{NAME} {__version__}", "User Commands"
    page.description = parser.description
    return f"{page}{_closing_sections()}"


def _closing_sections() -> str:
    """What `--help` says after the options: examples, exit status, documentation."""
    lines = (EPILOG % {"prog": NAME}).replace("-", "\\-").splitlines()
    headings = {line: f".SH {line.removesuffix(':').upper()}\n.nf" for line in lines if line.endswith(":")}
    return "".join(f"{headings.get(line, line.strip() or '.fi')}\n" for line in lines) + ".fi\n"


if __name__ == "__main__":
    PAGE.write_text(man_page())
