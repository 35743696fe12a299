"""What starts a viewer on top of the live screen."""

import sys

from monitoring.commands.cli import parse_arguments
from monitoring.commands.invocation import Invocation
from monitoring.commands.live.terminal import viewer_command


def test_a_viewer_reads_the_same_configuration_file_and_database() -> None:
    given = ["-c", "a.json", "--local-database", "b.db", "--database", "sqlite:"]
    invocation = Invocation(parse_arguments(["-m", *given]), {}, lambda *_: None)  # type: ignore[arg-type,return-value]
    assert [*viewer_command(invocation)] == [sys.executable, sys.argv[0], "--print", *given]
    urls = Invocation(parse_arguments(["-m", "https://a"]), {}, lambda *_: None)  # type: ignore[arg-type,return-value]
    assert [*viewer_command(urls)][2:] == ["--print", "https://a"]
