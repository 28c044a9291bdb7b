"""Take a picture of the inbox with playwright and chromium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

BROWSER = "chromium"
PUBLIC_NAME = "files.example"
"""A public-looking name for this machine: the sandbox warns about files at private addresses."""

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")


class NoPictureError(Exception):
    """No picture can be taken on this machine; the text gives the reason."""


def take_picture(
    url: str,
    target: Path,
    *,
    width: int = 1200,
    height: int = 800,
    colours: Literal["light", "dark"] = "light",
    shown_when: str = ".bubble",
) -> None:
    """Open a page, wait until an element is shown, and save a screenshot.

    The browser can only reach this machine, so that the picture is the same everywhere.

    :param url: the page.
    :param target: the path of the PNG.
    :param width: width of the window, in pixels.
    :param height: height of the window, in pixels.
    :param colours: the preferred color scheme.
    :param shown_when: the CSS selector of the element to wait for.
    :raises NoPictureError: if playwright or chromium is missing or fails.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError as missing:
        raise NoPictureError("playwright is not installed") from missing
    chromium = shutil.which(BROWSER)
    if chromium is None:
        raise NoPictureError(f"there is no {BROWSER} on this machine")
    arguments = [
        *ARGUMENTS,
        f"--host-resolver-rules=MAP {PUBLIC_NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=colours, locale="en-GB"
            )
            page.goto(url)
            page.locator(shown_when).first.wait_for(timeout=20_000)
            # Wait until images are loaded, or replaced by placeholders.
            page.wait_for_timeout(1000)
            page.screenshot(path=target)
            browser.close()
    except Error as error:
        raise NoPictureError(str(error).splitlines()[0]) from error
