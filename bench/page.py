"""The page under a long answer and a long conversation: Chromium, slowed to a quarter, emulated engine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.async_api import CDPSession, Page, async_playwright, expect

from bench.results import ROOT, Result
from tests.support import services
from tests.support import site as sites
from tests.support.errors import BenchmarkError

FULL_TOKENS, SHORT_TOKENS = 20_000, 3_000

RATE = 100
"""Tokens per second: a stream that is faster than anybody reads."""

SLOWDOWN = 4
"""A phone of some years ago, as DevTools has it."""

MESSAGES, SMALL = 1_000, 20

OPENINGS = 5
"""How often the long conversation is opened; the median counts."""

SWITCHES, FIRST_MEASURED = 30, 10
"""Going to and fro; memory is compared between these two moments, each after a forced collection."""

ANSWER_MS = 420_000

SETTLE_MS = 1_000
"""Code is coloured when the page is idle."""

LONG_MS = 50
"""From here on a task is called long, as browsers do."""

WATCH = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.longTasks.push(task.duration);
  }).observe({ type: "longtask", buffered: true });
}"""


@dataclass
class Measured:
    tasks_ms: list[float]
    wall_ms: list[float]
    characters: int
    open_ms: list[float]
    heap_bytes: list[int]


def long_tasks(trace: bytes) -> list[float]:
    """Milliseconds of processor time of the renderers' main-thread tasks over LONG_MS, slowdown included.

    Processor time, since on a shared machine the wall clock also counts what other processes took.
    """
    events = json.loads(trace)["traceEvents"]
    main = {
        (one["pid"], one["tid"]) for one in events
        if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }  # fmt: skip
    tasks = (one["tdur"] / 1_000 for one in events if one.get("tdur") and (one["pid"], one["tid"]) in main)
    return [task for task in tasks if task > LONG_MS]


async def long_answer(page: Page) -> list[float]:
    """Tasks over 50 ms by the wall clock while one answer streams and is finished."""
    await page.evaluate(WATCH)
    await page.fill("#composer", "A long answer with code and maths, please")
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .markdown")).to_be_visible(timeout=ANSWER_MS)
    await expect(page.locator(".send.stop")).to_have_count(0, timeout=ANSWER_MS)
    await page.wait_for_timeout(1_000)
    wall: list[float] = await page.evaluate("() => window.longTasks")
    return wall


async def opening(page: Page, name: str) -> float:
    """Milliseconds from the click to the last message rendered as Markdown and painted, fetch included."""
    took: float = await page.evaluate(
        """async (name) => {
          const link = [...document.querySelectorAll(".row a")].find((one) => one.title === name);
          const start = performance.now();
          link.click();
          const there = () => document.querySelector(".bar h1")?.title === name
            && document.querySelector(".message:last-child .markdown pre code");
          while (!there()) await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          return performance.now() - start;
        }""",
        name,
    )
    return took


async def whole(page: Page) -> None:
    """Wait until every message is mounted: the rest of a long conversation comes after it has opened.

    Two heaps are comparable only when they hold the same page.
    """
    await page.wait_for_function(
        "count => document.querySelectorAll('.message').length === count", arg=MESSAGES, timeout=ANSWER_MS
    )
    await page.wait_for_timeout(SETTLE_MS)


async def heap(devtools: CDPSession) -> int:
    await devtools.send("HeapProfiler.collectGarbage")
    metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
    return next(int(one["value"]) for one in metrics if one["name"] == "JSHeapUsedSize")


async def measure(site: sites.Site) -> Measured:
    key, _, cookie = site.sign_in().partition("=")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=services.chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        await context.add_cookies([{"name": key, "value": cookie, "url": site.url}])
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        await devtools.send("Performance.enable")
        await devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        await page.goto(site.url)
        await page.wait_for_selector(".welcome")
        await browser.start_tracing(page=page, categories=["toplevel"])
        wall = await long_answer(page)
        tasks = long_tasks(await browser.stop_tracing())
        # Not while the trace runs: laying out all the text for this is our task, not the page's.
        characters = len(await page.locator(".answer .markdown").inner_text())
        long, small = f"{MESSAGES} messages", f"{SMALL} messages"
        open_ms = []
        for _ in range(OPENINGS):
            await page.goto(site.url)
            await page.wait_for_selector(".row")
            open_ms.append(await opening(page, long))
        heaps = []
        for switch in range(1, SWITCHES + 1):
            await opening(page, small if switch % 2 else long)
            if switch in (FIRST_MEASURED, SWITCHES):
                await whole(page)
                heaps.append(await heap(devtools))
        await browser.close()
    return Measured(tasks, wall, characters, open_ms, heaps)


def seed(site: sites.Site, count: int) -> None:
    command = [sys.executable, "-m", "bench.long_conversation", str(count)]
    done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"no conversation of {count} messages: {done.stderr.decode()[-500:]}")


def run(full: bool) -> Result:
    """One long answer, then a long conversation opened and left again and again."""
    if not services.chromium():
        raise BenchmarkError("no chromium on PATH; CHATSITE_TEST_CHROMIUM may name one")
    tokens = FULL_TOKENS if full else SHORT_TOKENS
    settings: dict[str, Any] = {
        "CHATSITE_ENGINE": "emulated",
        "CHATSITE_EMULATED_STEP_S": str(1 / RATE),
        "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
        "CHATSITE_MAX_OUTPUT_TOKENS": str(tokens),
    }
    with sites.embedded(settings) as site:
        site.wait("/readyz")
        seed(site, MESSAGES)
        seed(site, SMALL)
        got = asyncio.run(measure(site))
    longest = max(got.tasks_ms, default=0.0)
    growth = got.heap_bytes[1] / got.heap_bytes[0] - 1
    return Result(
        name="page",
        engine="emulated",
        full=full,
        settings={**settings, "slowdown": SLOWDOWN, "messages": MESSAGES},
        summary={
            "longest_task_ms": longest,
            "longest_task_wall_ms": max(got.wall_ms, default=0.0),
            "open_1000_ms": median(got.open_ms),
            "heap_growth": growth,
            "tokens": tokens,
            "characters": got.characters,
        },
        columns=("what", "figure"),
        rows=[
            [f"longest task while {tokens:,} tokens stream, ms", longest],
            ["the same by the wall clock, ms", max(got.wall_ms, default=0.0)],
            ["tasks over 50 ms", len(got.tasks_ms)],
            [f"{MESSAGES:,} messages open, ms (median of {OPENINGS})", median(got.open_ms)],
            [f"heap growth, switch {FIRST_MEASURED} to {SWITCHES}", growth],
        ],
        samples={
            "tasks_ms": got.tasks_ms,
            "tasks_wall_ms": got.wall_ms,
            "open_ms": got.open_ms,
            "heap_bytes": got.heap_bytes,
        },
        notes=[
            "The engine is emulated; the browser's processor is slowed to a quarter.",
            "Tasks are measured in processor time: with the slowdown, without what else ran on the machine; "
            "openings by the wall clock.",
        ],
    )
