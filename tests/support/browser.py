"""Chromium, driven as people use it: `with Browser(width=390, dark=True) as browser: browser.open(url)`."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.support.monitor import PATIENCE_S, ROOT

UNPACKED = ROOT / ".venv" / "debian"
"""Where `scripts/test-programs` puts what this machine lacks."""

HEIGHT = 900

AXE = Path(__file__).parent / "axe" / "axe.min.js"
"""The rules of accessible pages, by Deque (MPL-2.0)."""

FOUND_BY_AXE = """return axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(found => found.violations.map(
  it => `${it.id}: ${it.help}: ${it.nodes.map(node => node.html.slice(0, 160)).slice(0, 3).join(" | ")}`))"""


class Browser:
    """A window of Chromium without a screen; `errors` is what its console has said of wrong pages."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def look(self, width: int, *, dark: bool) -> None:
        """From now on the window is so wide, and its user likes it dark or light."""
        metrics = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})

    def print_out(self) -> None:
        """From now on the page looks as on the paper of a user who likes it dark."""
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})

    def read_without_scripts(self, url: str) -> str:
        """The HTML of this page where scripts are not executed."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            self.open(url)
            return self.driver.page_source
        finally:
            self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    def open(self, url: str) -> None:
        self.driver.get(url)

    def ask(self, script: str) -> Any:
        """What this expression of JavaScript is."""
        return self.driver.execute_script(f"return {script}")

    def until(self, script: str) -> Any:
        """Its first true value."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := self.ask(script)):
            assert time.monotonic() < deadline, f"never true: {script}"
            time.sleep(0.05)
        return found

    def press(self, key: str) -> None:
        """This key, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(key).perform()

    def inaccessible(self) -> list[str]:
        """What axe finds wrong with the page."""
        self.driver.execute_script(AXE.read_text())
        found: list[str] = self.driver.execute_script(FOUND_BY_AXE)
        return found

    def picture(self, path: Path, most: int = 4 * HEIGHT) -> None:
        """The page from its top, up to so many pixels."""
        height = min(most, self.ask("document.documentElement.scrollHeight"))
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": self.ask("innerWidth"), "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))

    @property
    def errors(self) -> list[str]:
        """What the console said since it was asked last: scripts that failed, what the policy kept out."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@contextmanager
def browser() -> Iterator[Browser]:
    """Skips the test where there is no Chromium: `scripts/test-programs` unpacks Debian's."""
    driver, program = shutil.which("chromedriver"), chromium()
    if driver is None or program is None:
        pytest.skip("there is no Chromium with its driver")
    options = ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver, env=libraries()))
    chrome.set_script_timeout(PATIENCE_S)
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()


def chromium() -> str | None:
    """The program itself, not Debian's script around it, which looks for its settings in /etc."""
    for path in (UNPACKED / "usr/lib/chromium/chromium", Path("/usr/lib/chromium/chromium")):
        if path.exists():
            return str(path)
    return shutil.which("chromium")


def libraries() -> dict[str, str]:
    """The environment in which unpacked programs find unpacked libraries."""
    folders = [str(it) for found in (UNPACKED / "usr/lib").glob("*-linux-gnu") for it in (found, found / "pulseaudio")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)}
