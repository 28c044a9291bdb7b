"""A real browser for tests: playwright with this machine's chromium."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    # No test may depend on the internet: only this machine's names are resolved.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@contextmanager
def running_browser():
    """Run a browser until the end of the block; skip the test if none is installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # The shell is the same browser without windows, and uses half the CPU.
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()
