"""Formulas that ask for more room than there is: they paint nothing beside themselves, here and on a share.

Nor is one larger than a screen or two, whatever it asks for.
"""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops, ImageDraw
from playwright.async_api import Browser, Page, expect

from tests.page.driving import answered, ask
from tests.support import site as sites
from tests.support.browser import open_page

pytestmark = pytest.mark.browser

LARGE = (
    r"\rule{400em}{400em}", r"\rule[-400em]{400em}{400em}", r"\rule{400em}{1em}", r"\rule{1em}{40000pt}",
    r"\kern-400em\rule{40em}{40em}", r"\raisebox{400em}{\rule{40em}{40em}}", r"\mathllap{\rule{40em}{1em}}",
    r"\raisebox{-30em}{\rule{40em}{30em}}", r"\Huge\rule{400em}{400em}",
    r"\frac{\rule{400em}{1em}}{\rule{1em}{400em}}",
    r"\begin{matrix}\rule{40em}{40em}&\rule{40em}{40em}\\[400em]\rule{40em}{40em}\end{matrix}",
    r"\sqrt{\rule{400em}{400em}}", r"\smash{\rule{40em}{40em}}",
    r"\hphantom{x}\hspace{-400em}\rule{400em}{4em}",
)  # fmt: skip

LONGEST_EM = 160
"""Three times the longest side, 40 em, in a matrix with a gap as long; and its lines."""

BETWEEN = "Words that stand between."

MARGIN_PX = 8
"""The clip margin of a formula in a line, and the blur at an edge."""

HIDE = """(holder) => {
  const at = holder.getBoundingClientRect();
  return [...holder.querySelectorAll(".maths")].map((one) => {
    one.firstChild.style.visibility = "hidden";
    const box = one.getBoundingClientRect();
    return [box.left - at.left, box.top - at.top, box.right - at.left, box.bottom - at.top];
  });
}"""
"""Hides the formulas in their boxes, and says where these are."""

REPLACE = """async ([token, content]) => {
  const send = async (method, path, body) => {
    const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
    const answer = await fetch(path, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const conversation = location.pathname.split("/").pop();
  const read = await (await fetch(`/api/conversations/${conversation}`)).json();
  const answer = read.messages.find((one) => one.role === "assistant");
  const edited = await send("POST", `/api/messages/${answer.id}/edit`, { content });
  const share = await send("POST", "/api/shares", { leaf: edited.id, public: true });
  return share.path;
}"""


def text(display: bool) -> str:
    sign = "$$" if display else "$"
    return "\n\n".join(f"{BETWEEN} {number}\n\n{sign}{one}{sign}" for number, one in enumerate(LARGE))


async def shot(page: Page, holder: str) -> Image.Image:
    png = await page.locator(holder).screenshot(animations="disabled", caret="hide")
    return Image.open(io.BytesIO(png)).convert("RGB")


async def painted_elsewhere(page: Page, holder: str) -> tuple[int, int, int, int] | None:
    """Where pixels differ when the formulas are hidden, beside their own boxes."""
    with_them = await shot(page, holder)
    boxes = await page.locator(holder).evaluate(HIDE)
    em = await page.locator(holder).evaluate("(holder) => parseFloat(getComputedStyle(holder).fontSize)")
    assert max(bottom - top for _, top, _, bottom in boxes) <= LONGEST_EM * em
    differs = ImageChops.difference(with_them, await shot(page, holder))
    assert differs.getbbox(), "the formulas are drawn"
    drawing = ImageDraw.Draw(differs)
    for left, top, right, bottom in boxes:
        drawing.rectangle(
            (left - MARGIN_PX, top - MARGIN_PX, right + MARGIN_PX, bottom + MARGIN_PX), fill="black"
        )
    return differs.getbbox()


@pytest.mark.parametrize("display", [True, False])
async def test_a_formula_paints_nothing_beside_itself(
    page: Page, browser: Browser, site: sites.Site, display: bool
) -> None:
    await ask(page, "Formulas")
    await answered(page)
    token = await page.locator("meta[name=csrf-token]").get_attribute("content")
    path = await page.evaluate(REPLACE, [token, text(display)])
    await page.reload()
    reader = await open_page(browser, viewport={"width": 900, "height": 700})
    await reader.goto(site.url + path)
    for one in (page, reader):
        await expect(one.locator(".maths math, .maths-unread")).to_have_count(len(LARGE))
        assert await painted_elsewhere(one, ".markdown >> nth=-1") is None
        assert await one.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await expect(one.get_by_text(BETWEEN)).to_have_count(len(LARGE))
