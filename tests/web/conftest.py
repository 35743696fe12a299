"""A browser for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, browser


@pytest.fixture(scope="session")
def opened_browser() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture
def chromium(opened_browser: Browser) -> Iterator[Browser]:
    """It leaves the page of each test, whose server is gone: what that page says of it is not the next test's business."""
    yield opened_browser
    opened_browser.open("about:blank")
    assert opened_browser.errors is not None
