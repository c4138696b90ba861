"""A few real browsers among the visitors."""

from __future__ import annotations

import random
import time

from playwright.async_api import Browser, Page
from playwright.async_api import Error as PlaywrightError

from .record import Record

__all__ = ["in_a_browser"]

DRAWN = "document.querySelector('.dx-status')?.dataset.state === 'ready'"
SOON = 240_000  # milliseconds
PATIENCE_STEP = 20_000


async def in_a_browser(browser: Browser, url: str, record: Record, seed: int, until: float) -> None:
    """Asks, waits, clicks on tokens; what the page's scripts throw is a fault."""
    chance = random.Random(seed)
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("pageerror", lambda error: record.troubles.update([f"script error: {error}"[:300]]))
    try:
        await page.goto(url, timeout=SOON)
        await page.wait_for_selector(".dx-token", timeout=SOON)
        while time.monotonic() < until:
            await _ask(page, record)
            for _ in range(3):
                await _look(page, record, chance)
    except PlaywrightError as error:
        if time.monotonic() < until:
            record.troubles[f"in a browser: {error}"[:300]] += 1
    finally:
        await page.close()


async def _ask(page: Page, record: Record) -> None:
    asked, _ = record.next_question()
    await page.fill("#dx-prompt textarea", asked.prompt)
    await page.click("#dx-run")
    shown = f"document.querySelector('#dx-answer')?.textContent.includes({asked.prompt!r}) && {DRAWN}"
    began = time.monotonic()
    await page.wait_for_function(shown, timeout=SOON)
    record.seconds["run in a browser"].append(time.monotonic() - began)


async def _look(page: Page, record: Record, chance: random.Random) -> None:
    tokens = page.locator("#dx-tokens [data-part=tokens] .dx-token")
    n = await tokens.count()
    if n:
        place = chance.randrange(n)
        began = time.monotonic()
        await tokens.nth(place).click()
        words = f"/step {place + 1}\\b/.test(document.querySelector('#dx-waterfall .dx-reading')?.textContent ?? '')"
        await page.wait_for_function(words, timeout=PATIENCE_STEP)
        record.seconds["step in a browser"].append(time.monotonic() - began)
