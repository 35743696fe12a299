"""A browser for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, browser


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture
def chromium(window: Browser) -> Iterator[Browser]:
    """It leaves the page of each test, whose server is gone: what that page says of it is not the next test's business."""
    yield window
    window.open("about:blank")
    assert window.errors is not None
