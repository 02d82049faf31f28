"""Settings of the scheduling policy: every constant of every rule, its bounds and its reason.

The rules themselves are explained in docs/scheduling.md. Values come from the defaults below or from
the environment (`CHATSITE_` and the field's name in capitals) and are checked when the policy is built.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from inference.request import RequestClass
from inference.setting import LARGEST_WHOLE, Setting, SettingError, of_field

CLASSES: tuple[RequestClass, ...] = ("quick", "normal", "heavy")
"""Every class, most urgent first."""

ENV_PREFIX = "CHATSITE_"

Whole = Annotated[int, Meta(ge=0, le=LARGEST_WHOLE)]
Count = Annotated[int, Meta(ge=1, le=LARGEST_WHOLE)]
Seconds = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Below = Annotated[float, Meta(gt=0, lt=1)]
Factor = Annotated[float, Meta(ge=1)]
Cost = Annotated[float, Meta(ge=0)]


class PolicyError(SettingError):
    """A setting that no policy can be built from; the message names it, its value and the rule."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All constants of the scheduling policy. Times in seconds, sizes in tokens unless named otherwise."""

    quick_chars: Whole = 100
    """A new message below this many characters may be quick (docs/references.md)."""
    quick_uncached_tokens: Whole = 512
    """Most uncached prompt tokens of a quick request: one engine step of prefill."""
    heavy_uncached_tokens: Count = 2_048
    """More uncached prompt tokens are heavy: several steps that everybody feels."""

    quick_deadline_s: Seconds = 1.0
    """τ of quick: a second is where a person starts to notice a wait."""
    normal_deadline_s: Seconds = 10.0
    """τ of normal: ten seconds is where attention leaves the page."""
    heavy_deadline_s: Seconds = 60.0
    """τ of heavy: a long document is work that one comes back to."""
    ageing_factor: Factor = 2.0
    """A request that waited this many τ goes first, if its user runs nothing."""

    max_running: Count = 126
    """K: running requests, reserved slots apart; 126 + 2 are vLLM's 128 slots."""
    reserved_slots: Whole = 2
    """r: slots for quick requests alone; two, so that one quick never waits for one."""
    reserved_output_tokens: Count = 512
    """Output after which a quick request counts as general and its slot is free again."""
    user_running: Count = 4
    """Running per user while others wait, where the plan names no number."""
    user_heavy_running: Count = 1
    """Heavy running per user while others wait: one document at a time."""
    beyond_cap_share: Share = 0.5
    """Part of K up to which users beyond their caps may add to it while others are here: each lengthens
    every step. At 0.94 a flood made others' TTFT p95 1.5-1.7 x, at 0.5 1.2-1.45 x (simulated)."""
    beyond_cap_prefill_tokens: Count = 256
    """Prompt tokens in prefill up to which a user beyond their cap may add to them: half a small step."""
    heavy_share: Share = 0.5
    """Part of K that heavy requests may hold while lighter ones wait."""
    heavy_prefills: Count = 1
    """Heavy prefills at once: one took quick TTFT p95 from 43 s to 0.65 s (measured)."""

    kv_budget: Share = 0.85
    """Part of the KV cache promised to general slots; above it preemptions begin."""
    reserved_kv_budget: Share = 0.95
    """What of the KV cache is above `kv_budget` and below this is for reserved slots."""
    large_kv_share: Share = 0.25
    """A prompt above this part of the KV budget is large: four of them would be all there is."""
    large_wait_share: Below = 0.05
    """Part of the time in which large requests may make others wait for KV tokens: the part that others' P95
    leaves out."""
    large_pause_s: Seconds = 300.0
    """Longest pause between large requests: six of them fit into the longest wait of a heavy one."""
    expected_output_tokens: Count = 512
    """Output length assumed until enough answers of a class were seen."""

    prompt_cost: Cost = 1.0
    """w_p: counter units per uncached prompt token (VTC)."""
    output_cost: Cost = 2.0
    """w_q: counter units per output token; decoding costs about twice (VTC)."""

    quick_slack: Cost = 1_024.0
    """Counter units by which a user may be ahead of the least served and keep their position: some
    answers."""
    normal_slack: Cost = 4_096.0
    """The same among normal requests; without it TTFT p95 at 30 slots was 11 s, not 5 (simulated)."""
    heavy_slack: Cost = 32_768.0
    """The same among heavy requests; without it their P95 was 45 % above FIFO's, not 6 (simulated)."""

    queue_quick: Count = 1_000
    """Most quick requests waiting; more would expire in the queue."""
    queue_normal: Count = 1_000
    """Most normal requests waiting; more would expire in the queue."""
    queue_heavy: Count = 1_000
    """Most heavy requests waiting: an hour of a small card's work."""
    queue_user: Count = 100
    """Most requests waiting per user: a large batch of documents."""

    first_token_timeout_s: Seconds = 30.0
    """Queue and first token of quick and normal (docs/references.md)."""
    heavy_first_token_timeout_s: Seconds = 1_800.0
    """Queue and first token of heavy: half an hour, since batches are left alone."""
    stall_timeout_s: Seconds = 30.0
    """Longest silence of a running answer: no step takes that long on a live engine."""
    total_timeout_s: Seconds = 600.0
    """Longest run of one answer of quick and normal, from its start: 6,000 tokens at a slow 10 tok/s."""
    heavy_total_timeout_s: Seconds = 1_800.0
    """Longest run of one heavy answer: its prompt alone may take minutes."""

    def __post_init__(self) -> None:
        for name, hint in FIELD_TYPES.items():
            _check(name, getattr(self, name), hint)
        if self.heavy_uncached_tokens < self.quick_uncached_tokens:
            raise PolicyError(
                f"heavy_uncached_tokens={self.heavy_uncached_tokens}: must not be below "
                f"quick_uncached_tokens={self.quick_uncached_tokens}. Change one of them."
            )
        if not self.quick_deadline_s <= self.normal_deadline_s <= self.heavy_deadline_s:
            raise PolicyError(
                f"quick_deadline_s={self.quick_deadline_s}: deadlines must not fall from quick to heavy, and "
                f"normal_deadline_s={self.normal_deadline_s}, heavy_deadline_s={self.heavy_deadline_s}. "
                "Change one of them."
            )
        if self.reserved_kv_budget < self.kv_budget:
            raise PolicyError(
                f"reserved_kv_budget={self.reserved_kv_budget}: must not be below "
                f"kv_budget={self.kv_budget}. Change one of them."
            )

    @classmethod
    def from_env(cls, env: Mapping[str, str], **defaults: Any) -> Policy:
        """The policy that the environment asks for; `defaults` replace the built-in ones.

        Raises PolicyError naming the variable, its value and the rule that it breaks.
        """
        values = dict(defaults)
        try:
            for name, setting in SETTINGS.items():
                if env.get(setting.name, "").strip():
                    values[name] = setting.read(env)
            return cls(**values)
        except SettingError as error:
            raise PolicyError(FIELD_NAME.sub(lambda field: SETTINGS[field[1]].name, str(error))) from None

    def fitted(self, engine_slots: int) -> Policy:
        """This policy with K + r no larger than the engine's own number of slots."""
        if engine_slots >= self.slots:
            return self
        reserved = min(self.reserved_slots, max(0, engine_slots - 1))
        return msgspec.structs.replace(
            self, reserved_slots=reserved, max_running=max(1, engine_slots - reserved)
        )

    @property
    def slots(self) -> int:
        """K + r: what vLLM's `max_num_seqs` is set to."""
        return self.max_running + self.reserved_slots

    @property
    def heavy_running(self) -> int:
        """How many heavy requests may run while lighter ones wait."""
        return max(1, int(self.max_running * self.heavy_share))

    @property
    def beyond_cap_running(self) -> int:
        """How many general slots may be held when a user beyond their cap starts another request."""
        return max(1, int(self.max_running * self.beyond_cap_share))

    def deadline_s(self, kind: RequestClass) -> float:
        """τ of a class."""
        if kind == "quick":
            return self.quick_deadline_s
        return self.normal_deadline_s if kind == "normal" else self.heavy_deadline_s

    def slack(self, kind: RequestClass) -> float:
        """How far ahead of the least served a user of this class may be and still keep their position."""
        if kind == "quick":
            return self.quick_slack
        return self.normal_slack if kind == "normal" else self.heavy_slack

    def first_token_s(self, kind: RequestClass) -> float:
        """Longest time in the queue and in prefill together."""
        return self.heavy_first_token_timeout_s if kind == "heavy" else self.first_token_timeout_s

    def total_s(self, kind: RequestClass) -> float:
        """Longest run, from its start."""
        return self.heavy_total_timeout_s if kind == "heavy" else self.total_timeout_s

    def queue_limit(self, kind: RequestClass) -> int:
        """Most requests of a class that may wait."""
        if kind == "quick":
            return self.queue_quick
        return self.queue_normal if kind == "normal" else self.queue_heavy


FIELD_TYPES: dict[str, Any] = get_type_hints(Policy, include_extras=True)
"""Every setting with its type and bounds, in the order of declaration."""


def _check(name: str, value: object, hint: Any) -> None:
    """Raises PolicyError where the value does not fit its field."""
    try:
        checked = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{name}={value!r}: {error}") from None
    if not math.isfinite(checked):
        raise PolicyError(f"{name}={value!r}: must be finite")


SETTINGS: dict[str, Setting] = {
    name: of_field(ENV_PREFIX + name.upper(), hint, getattr(Policy(), name))
    for name, hint in FIELD_TYPES.items()
}
"""The variable of every field."""

FIELD_NAME = re.compile(rf"\b({'|'.join(FIELD_TYPES)})(?==)")
"""A field in a message about fields that contradict each other."""
