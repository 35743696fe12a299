"""What is made from the code is as the code is now. `make generate` writes it anew."""

from scripts import manpage


def test_the_man_page_says_what_help_says() -> None:
    assert manpage.PAGE.read_text() == manpage.man_page(), "run `make generate`"
