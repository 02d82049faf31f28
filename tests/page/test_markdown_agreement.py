"""The page and the exports read one Markdown: the same words, marks, numbers, links and formulas."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page

from chatsite.transfer.render.blocks import to_html
from tests.support.markdown_documents import markdown_document
from tests.support.markdown_kinds import KINDS

pytestmark = pytest.mark.browser

COMPARE = """async (answers) => {
  const { MarkdownSurface } = await import("/static/chat/view/markdown-surface.js");
  await (await import("/static/chat/view/preferences.js")).useLanguage("en");
  const BLOCKS = /^(P|DIV|H\\d|LI|UL|OL|BLOCKQUOTE|PRE|TABLE|TR|TD|TH|HR|DETAILS|SUMMARY|FIGURE)$/;
  const MARKS = { STRONG: "**", B: "**", EM: "*", I: "*", DEL: "~~", S: "~~" };
  const plain = (text) => text.replace(/\\s+/g, " ");
  const address = (link) => {
    const href = link.getAttribute("href");
    try { return decodeURI(href); } catch { return href; }
  };
  const number = (item) => {
    const list = item.parentElement;
    return list.tagName === "UL" ? "-" : `${list.start + [...list.children].indexOf(item)}.`;
  };
  const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return plain(node.data);
    if (node.hidden || node.matches?.(".code-bar, .image-label")) return "";
    const tag = node.tagName;
    if (node.matches?.(".maths")) return `{${(node.title || node.textContent).trim()}}`;
    if (node.matches?.("code.formula")) return `{${node.textContent.trim()}}`;
    if (tag === "PRE" && !node.querySelector(".formula")) return `\\n<${node.textContent}>\\n`;
    if (tag === "INPUT") return node.checked ? "\\u2611" : "\\u2610";
    if (tag === "BR") return "\\n";
    if (tag === "HR") return "\\n---\\n";
    const inner = [...node.childNodes].map(read).join("");
    if (tag === "LI") return `\\n${number(node)} ${inner}\\n`;
    if (tag === "A" && node.hasAttribute("href")) return `[${inner}](${address(node)})`;
    if (/^H\\d$/.test(tag)) return `\\n${tag} ${inner}\\n`;
    if (tag === "BLOCKQUOTE") return `\\n>${inner}\\n`;
    if (MARKS[tag]) return MARKS[tag] + inner + MARKS[tag];
    if (tag === "CODE") return "`" + inner + "`";
    if (tag === "TD" || tag === "TH") return `|${inner}`;
    return BLOCKS.test(tag ?? "") ? `\\n${inner}\\n` : inner;
  };
  const canonical = (root) => plain(read(root)).replace(/ ?([-{}<>|*[\\]()]) ?/g, "$1").trim();
  const page = (text) => {
    const root = document.createElement("div");
    root.className = "markdown";
    const surface = new MarkdownSurface(root);
    surface.update(text, true);
    const busy = () => surface.list.frozen < surface.stream.blocks.length || surface.references.stale.size;
    while (busy()) surface.draw();
    return canonical(root);
  };
  const exported = (html) => canonical(new DOMParser().parseFromString(html, "text/html").body);
  return answers.map(({ text, html }) => [page(text), exported(html)]);
}"""


async def both(modules: Page, *texts: str) -> list[tuple[str, str]]:
    """What the page shows of each text, and what the exports do, as one text."""
    return await modules.evaluate(COMPARE, [{"text": text, "html": to_html(text)} for text in texts])


MANY = [pytest.param(first, marks=pytest.mark.proof) for first in range(100, 2_100, 100)]


@pytest.mark.parametrize("first", [0, *MANY])
async def test_page_and_export_agree(modules: Page, first: int) -> None:
    texts = [markdown_document(seed) for seed in range(first, first + 100)]
    for text, (page, export) in zip(texts, await both(modules, *texts), strict=True):
        assert page == export, text


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_the_same_on_the_page_and_in_exports(modules: Page, kind: str) -> None:
    text, right = KINDS[kind]
    ((page, export),) = await both(modules, text)
    assert page == export
    assert page.replace(" ", "") == right.replace(" ", "")


async def test_a_list_counts_on_however_it_is_cut(modules: Page) -> None:
    texts = ["\n".join(f"1. Item {n} {'words ' * size}" for n in range(1, 41)) for size in (1, 16, 90, 400)]
    for page, export in await both(modules, *texts):
        assert page == export
        assert [int(n) for n in re.findall(r"(\d+)\. Item", page)] == list(range(1, 41))
