"""The queue at work, as a GIF: a question waits behind the colleagues', moves up, and is answered."""

from __future__ import annotations

import asyncio
import io
from itertools import pairwise
from pathlib import Path
from time import monotonic

from PIL import Image
from playwright.async_api import Page, ViewportSize, expect

from bench.demo import Demo
from tests.support.chat_client import Person, Stream
from tests.support.site import HOST, Site

VIEWPORT: ViewportSize = {"width": 840, "height": 620}
"""The width of a README's column: text is shown in its own size."""

COLOURS = 192

FRAME_S = 0.1
"""Between two frames: ten a second show a queue that moves and text that grows; more make the file large."""

APART_S = 0.3
"""Between two colleagues' questions: so they do not end together, and the queue moves one by one."""

KEY_MS = 8
"""Between two keys: typed as fast as one likes to watch."""

LAST_FRAME_S = 4.0
"""The end stands for so long before the animation begins anew."""

ROUNDS = 4
"""The queue estimates waits by the twenty answers before: so many rounds of five are answered unseen."""

ANSWER_MS = 120_000

Frames = list[tuple[float, bytes]]
"""Time in monotonic seconds, PNG."""


async def animate(page: Page, site: Site, cookies: list[str], demo: Demo, path: Path) -> None:
    """Record the owner's question from typing to the end of its answer."""
    await page.keyboard.press("Control+b")
    colleagues = [Person(number, HOST, site.port, cookie) for number, cookie in enumerate(cookies)]
    for colleague in colleagues:
        await colleague.connect()
    for _ in range(ROUNDS):
        await asyncio.gather(*await asked(colleagues, demo))
    frames: Frames = []
    recording = asyncio.create_task(record(page, frames))
    await page.locator("#composer").press_sequentially(demo.waiting.question, delay=KEY_MS)
    others = asyncio.gather(*await asked(colleagues, demo))
    await page.keyboard.press("Enter")
    await expect(page.locator(".waiting")).to_be_visible()
    await expect(page.locator(".answer .tools button").first).to_be_visible(timeout=ANSWER_MS)
    recording.cancel()
    await others
    for colleague in colleagues:
        colleague.close()
    save(frames, path)


async def asked(colleagues: list[Person], demo: Demo) -> list[asyncio.Future[Stream]]:
    """Every colleague's question, one after the other, so that their order is the demo's."""
    answers = []
    for colleague, content in zip(colleagues, demo.colleagues, strict=True):
        answers.append(colleague.ask(content.question))
        await asyncio.sleep(APART_S)
    return answers


async def record(page: Page, frames: Frames) -> None:
    """Take pictures until cancelled."""
    while True:
        at = monotonic()
        frames.append((at, await page.screenshot()))
        await asyncio.sleep(max(0.0, at + FRAME_S - monotonic()))


def save(frames: Frames, path: Path) -> None:
    """Write the GIF: one palette for all frames, equal ones joined, times as they were."""
    times = [at for at, _ in frames]
    pictures = [Image.open(io.BytesIO(png)).convert("RGB") for _, png in frames]
    palette = sheet([pictures[0], pictures[len(pictures) // 2], pictures[-1]]).quantize(COLOURS, kmeans=1)
    drawn = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    spans = [later - at for at, later in pairwise(times)] + [LAST_FRAME_S]
    shown: list[tuple[Image.Image, float]] = []
    for picture, span in zip(drawn, spans, strict=True):
        if shown and picture.tobytes() == shown[-1][0].tobytes():
            shown[-1] = (picture, shown[-1][1] + span)
        else:
            shown.append((picture, span))
    first, *rest = [picture for picture, _ in shown]
    durations_ms = [round(span * 100) * 10 for _, span in shown]
    first.save(path, save_all=True, append_images=rest, duration=durations_ms, loop=0, optimize=False)


def sheet(pictures: list[Image.Image]) -> Image.Image:
    """The pictures one below the other, from which the palette is taken."""
    whole = Image.new("RGB", (pictures[0].width, sum(one.height for one in pictures)))
    top = 0
    for one in pictures:
        whole.paste(one, (0, top))
        top += one.height
    return whole
