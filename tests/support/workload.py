"""The reference load: four kinds of request with the article's lengths, half of them Chinese.

Everything is drawn from a seed and a name, so one user's n-th request is the same in every run and on
every side of a comparison, whatever happens between. Lengths are in characters, as the article gives
them; `words` turns them into text for real engines, `tokens` into sizes for simulated ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Literal

import msgspec

Kind = Literal["service", "polish", "summary", "continuation"]
Language = Literal["zh", "en"]

MEAN_CHARS: dict[Kind, int] = {"service": 85, "polish": 210, "summary": 1_200, "continuation": 450}
"""Mean input length of each kind, from the article."""

MEAN_OUTPUT_CHARS = 320
"""Mean answer length, from the article."""

SPREAD = 0.4
"""Sigma of the log-normal lengths: most lie within half and double the mean, as chat prompts do."""

CHARS_PER_TOKEN: dict[Language, float] = {"zh": 1.5, "en": 4.2}
"""Of Qwen's tokenizer on ordinary prose: about 0.67 tokens a Chinese character, 0.24 an English one."""

TEMPLATE_TOKENS = 12
"""What a chat template adds to one turn: role marks and line ends."""

NEWEST_PART = 0.15
"""Share of a continuation that is the newest message; the rest is its history."""

_TEXT: dict[Language, str] = {
    "zh": "请根据以下内容整理要点并给出清晰的建议。本周完成了接口联调与压力测试，客户反馈页面打开较慢，"
    "需要确认缓存策略与数据库索引是否合理。下周计划上线灰度版本，并准备培训材料与常见问题说明。",
    "en": "Please read the following notes, keep what matters and suggest a clear next step. The team "
    "finished the interface tests this week, customers say that pages open slowly, and the cache and "
    "the indexes need another look before the release. ",
}


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the load. `at_s` counts from the start; closed loops set it when it is asked."""

    user: str
    number: int
    kind: Kind
    language: Language
    chars: int
    new_chars: int
    output_chars: int
    prompt_tokens: int
    output_tokens: int
    temperature: float
    seed: int
    at_s: float = 0.0
    conversation: str = ""
    """Which one goes on, for the scheduler's memory of prefixes; empty: a new one."""
    cached_tokens: int = 0
    """How much of the prompt the engine's prefix cache holds."""


def draw(seed: int, user: str, number: int, kind: Kind | None = None) -> Ask:
    """The user's n-th request: kind and language with equal chances, temperature uniform in 0.3-0.9."""
    rng = random.Random(f"{seed}/{user}/{number}")
    drawn: Kind = rng.choice(tuple(MEAN_CHARS))
    kind = kind or drawn
    language: Language = rng.choice(("zh", "en"))
    chars = _length(rng, MEAN_CHARS[kind])
    output_chars = _length(rng, MEAN_OUTPUT_CHARS)
    return Ask(
        user=user,
        number=number,
        kind=kind,
        language=language,
        chars=chars,
        new_chars=max(1, round(chars * NEWEST_PART)) if kind == "continuation" else chars,
        output_chars=output_chars,
        prompt_tokens=TEMPLATE_TOKENS + tokens(chars, language),
        output_tokens=tokens(output_chars, language),
        temperature=round(rng.uniform(0.3, 0.9), 2),
        seed=rng.randrange(2**31),
    )


def sized(seed: int, user: str, number: int, prompt_tokens: int, output_tokens: int) -> Ask:
    """A request of given mean sizes in tokens, for scenarios that are about size rather than kind."""
    rng = random.Random(f"{seed}/{user}/{number}")
    prompt, output = _length(rng, prompt_tokens), _length(rng, output_tokens)
    chars = round(prompt * CHARS_PER_TOKEN["en"])
    return Ask(
        user=user,
        number=number,
        kind="summary" if prompt_tokens > MEAN_CHARS["summary"] else "service",
        language="en",
        chars=chars,
        new_chars=chars,
        output_chars=round(output * CHARS_PER_TOKEN["en"]),
        prompt_tokens=prompt,
        output_tokens=output,
        temperature=0.7,
        seed=rng.randrange(2**31),
    )


def poisson(seed: int, rate_per_s: float, duration_s: float, users: int) -> Iterator[Ask]:
    """An open loop: requests of the four kinds at exponential gaps, each by a random user."""
    rng = random.Random(f"{seed}/poisson")
    at_s, number = rng.expovariate(rate_per_s), 0
    while at_s < duration_s:
        user = f"user-{rng.randrange(users)}"
        yield msgspec.structs.replace(draw(seed, user, number), at_s=at_s)
        at_s += rng.expovariate(rate_per_s)
        number += 1


def tokens(chars: int, language: Language) -> int:
    """About how many tokens so much text is."""
    return max(1, round(chars / CHARS_PER_TOKEN[language]))


def words(ask: Ask) -> str:
    """The text of the request: prose of exactly its length, unlike that of any other request."""
    return prose(ask.language, ask.chars, ask.seed)


def prose(language: Language, chars: int, seed: int) -> str:
    """So many characters of ordinary text. The number in front keeps prefix caches from helping."""
    text = _TEXT[language]
    start = seed % len(text)
    repeated = f"{seed} " + text[start:] + text * (chars // len(text) + 1)
    return repeated[:chars]


def _length(rng: random.Random, mean: int) -> int:
    """A log-normal length with this mean."""
    return max(1, round(rng.lognormvariate(math.log(mean) - SPREAD * SPREAD / 2, SPREAD)))
