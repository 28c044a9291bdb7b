"""A picture of the inbox, taken by playwright in the chromium of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

BROWSER = "chromium"
PUBLIC_NAME = "files.example"
"""A name that leads to this machine: WhatsApp would not fetch a file from an address of a private network."""

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")


class NoPictureError(Exception):
    """No picture can be taken on this machine: its text says why."""


def take_picture(
    url: str,
    target: Path,
    *,
    width: int = 1200,
    height: int = 800,
    colours: Literal["light", "dark"] = "light",
    shown_when: str = ".bubble",
) -> None:
    """Open a page, wait until it shows something, and write what it looks like.

    The browser reaches this machine alone, so that the picture is the same wherever it is taken.

    :param url: the page.
    :param target: where the PNG goes.
    :param width: of the window, in pixels.
    :param height: of the window, in pixels.
    :param colours: the colours that the reader prefers.
    :param shown_when: a CSS selector of what must be there first.
    :raises NoPictureError: if playwright or chromium is missing or cannot do it.
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
            # Pictures in messages have come, or their placeholders stand there.
            page.wait_for_timeout(1000)
            page.screenshot(path=target)
            browser.close()
    except Error as error:
        raise NoPictureError(str(error).splitlines()[0]) from error
