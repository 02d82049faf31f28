"""A seeded monkey reloads, cuts the connection and opens second tabs while answers stream.

What a page holds is at every look a beginning of what the engine's own transcript says, in the end all of
it, and what it shows is what that text looks like: nothing missing, nothing twice.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from tests.support import site as sites
from tests.support import transcript
from tests.support.browser import open_context

pytestmark = pytest.mark.browser

HELD = """async () => {
  const { static: root } = JSON.parse(document.getElementById("boot").textContent);
  const { state } = await import(`${root}chat/store.js`);
  const { MarkdownSurface } = await import(`${root}chat/view/markdown-surface.js`);
  const { branch } = await import(`${root}chat/tree.js`);
  const { conversations, current, generations } = state.value;
  const tree = conversations[current]?.tree;
  const answer = tree && branch(tree).at(-1);
  const generation = answer && generations[answer.generation];
  if (!generation || generation.local) return null;
  const fresh = document.createElement("div");
  new MarkdownSurface(fresh).update(generation.text, true);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const shown = document.querySelector(".answer:last-child .markdown")?.textContent ?? "";
  const { id, status, text } = generation;
  return { id, status, text, shown, drawn: fresh.textContent };
}"""
"""What the page holds of its last answer, what that looks like when drawn at once, and what it shows."""


@dataclass
class Tab:
    """A page whose connection can be cut."""

    page: Page
    sockets: list[WebSocketRoute] = field(default_factory=list)

    async def cut(self) -> None:
        for socket in self.sockets:
            await socket.close(code=1001)
        self.sockets.clear()


async def open_tab(context: BrowserContext, address: str) -> Tab:
    tab = Tab(await context.new_page())

    def wire(socket: WebSocketRoute) -> None:
        tab.sockets.append(socket)
        socket.connect_to_server()

    await tab.page.route_web_socket("**/ws/chat/", wire)
    await tab.page.goto(address)
    await tab.page.wait_for_selector("#composer")
    return tab


async def look(site: sites.Site, tab: Tab) -> None:
    """What is held now is a beginning of what the engine had made by then."""
    held = await tab.page.evaluate(HELD)
    if held:
        made = transcript.read(site.transcript)[held["id"]].text
        assert made.startswith(held["text"]), (held, made)


async def judge(site: sites.Site, tab: Tab) -> None:
    """The end: all of it, drawn as it would be at once."""
    await expect(tab.page.locator(".send.stop")).to_have_count(0)
    await expect(tab.page.locator(".answer .tools button").first).to_be_visible()
    held = await tab.page.evaluate(HELD)
    assert held["status"] == "finished"
    assert held["text"] == transcript.read(site.transcript)[held["id"]].text
    assert held["shown"] == held["drawn"]


async def one_round(site: sites.Site, context: BrowserContext, chance: random.Random) -> None:
    tab = await open_tab(context, site.url)
    await tab.page.fill("#composer", f"Question {chance.randrange(10**6)}")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url("**/c/*")
    others = []
    for _ in range(chance.randint(1, 4)):
        await asyncio.sleep(chance.uniform(0, 0.8))
        match chance.choice(("reload", "cut", "second tab")):
            case "reload":
                await tab.page.reload()
            case "cut":
                await tab.cut()
            case _:
                others.append(await open_tab(context, tab.page.url))
        await look(site, chance.choice([tab, *others]))
    for one in (tab, *others):
        await judge(site, one)
        await one.page.close()


async def rounds(browser: Browser, site: sites.Site, cookie: str, seeds: range) -> None:
    context = await open_context(browser, site, cookie)
    for seed in seeds:
        await one_round(site, context, random.Random(seed))


async def test_a_few_rounds(browser: Browser, site: sites.Site, person: str) -> None:
    await rounds(browser, site, person, range(4))


@pytest.mark.proof
@pytest.mark.parametrize("first", range(4, 204, 20))
async def test_two_hundred_rounds(browser: Browser, site: sites.Site, person: str, first: int) -> None:
    await rounds(browser, site, person, range(first, first + 20))
