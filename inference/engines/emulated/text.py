"""The emulated engine's text: endless, deterministic by seed, with the Markdown that a page has to render."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import islice

ENGLISH = (
    "The queue is short today, so your answer starts at once.",
    "Every token that you read here was made by a timing model, not by a language model.",
    "A fair line serves the person who has had the least, before the one who asks the most.",
    "Prefill reads the whole prompt; decoding then writes one token for each step of the batch.",
    "Naïve readers expect the café to be open — it closes at 6 p.m. on Sundays.",
    "If the connection drops, the text continues exactly where it stopped.",
)

CHINESE = (
    "今天排队的人不多，所以您的回答马上开始。",
    "这里的每一个字都来自计时模型，而不是语言模型。",
    "公平的队伍先照顾用得最少的人，再照顾问得最多的人。",
    "预填充一次读完整个提示，解码每一步写出一个词元。",
    "连接中断之后，文字会从停下的地方继续，一个字也不会少。",
)

MARKDOWN = (
    "\n\n## A heading\n\n",
    "\n\n- first, **bold**\n- second, *italic*\n- third, `code`\n\n",
    "\n\n```python\ndef fair(users):\n    return min(users, key=lambda user: user.counter)\n```\n\n",
    "\n\n| class | wait |\n|---|---|\n| quick | 0.4 s |\n| heavy | 12 s |\n\n",
    "\n\n$$\\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}$$\n\n",
    "\n\n> 引用一段话。\n\n",
    "\n\n1. 第一\n2. 第二\n\n",
    ' <b>not markup</b> & "quoted" \\ ',
)

SPLIT_EMOJI = ("👩‍🔬", "🇨🇳", "👍🏽")
"""Several code points each: a real tokenizer needs more than one token for them."""

_TOKEN = re.compile(r"\s*[A-Za-zÀ-ÿ]+|[\u3000-\u9fff\uff00-\uffef]{1,2}|\s+|.", re.DOTALL)


def with_reasoning(words: Iterator[str], tokens: int) -> Iterator[str]:
    """The same tokens, the first ones as reasoning between <think> marks."""
    if tokens:
        yield "<think>\n"
        yield from islice(words, tokens)
        yield "\n</think>\n\n"
    yield from words


def token_texts(seed: int) -> Iterator[str]:
    """The text of one token after the other, without end; empty for a token that completes no character."""
    draw = random.Random(seed)  # noqa: S311 - reproducible text, no secret
    chinese = draw.random() < 0.5
    while True:
        roll = draw.random()
        if roll < 0.12:
            yield from _TOKEN.findall(draw.choice(MARKDOWN))
        elif roll < 0.20:
            yield ""
            yield draw.choice(SPLIT_EMOJI)
        else:
            if draw.random() < 0.15:
                chinese = not chinese
            sentence = draw.choice(CHINESE) if chinese else draw.choice(ENGLISH) + " "
            yield from _TOKEN.findall(sentence)
