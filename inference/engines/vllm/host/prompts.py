"""Chat messages to the engine's input: their token ids, in which what people wrote steers nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tokenizers import Tokenizer
from vllm.renderers import BaseRenderer, ChatParams

from inference.chat_template import PromptRefusedError
from inference.control_tokens import AddedToken, Neutraliser, control_sequence, control_tokens, skeleton
from inference.model_capabilities import REMEDY, Capabilities
from inference.prompt import PromptTokenizer
from inference.request import ChatMessage, raw_prompt

logger = logging.getLogger(__name__)

CHAT_PARAMS = ChatParams(chat_template_kwargs={"add_generation_prompt": True})

MAX_SKELETONS = 512
"""Conversation shapes whose control tokens are cached; each is a few hundred bytes."""


class Prompts:
    """Renders messages. One per engine, used from its event loop.

    By the code that counts prompts in the web tier. Tokenizers of another kind than Hugging Face's fast ones
    are left to vLLM's renderer, and typed control tokens are broken for them.
    """

    def __init__(self, renderer: BaseRenderer) -> None:
        self._renderer = renderer
        # Without vLLM's own limit: the host names the context, and a count may be above it.
        self._token_params = replace(renderer.default_chat_tok_params, max_total_tokens=None)
        self._raw_params = replace(renderer.default_cmpl_tok_params, max_total_tokens=None)
        tokenizer: Any = renderer.get_tokenizer()
        self._ours = prompt_tokenizer(tokenizer)
        control = self._ours.control if self._ours else _control_tokens(tokenizer)
        self._control_ids = frozenset(control.values())
        self._neutraliser = Neutraliser(control)
        self._skeletons: dict[tuple[ChatMessage, ...], list[int]] = {}

    @property
    def capabilities(self) -> Capabilities | None:
        """What the model's chat template can do; None where it is left to vLLM."""
        if self._ours is not None:
            return self._ours.capabilities
        if getattr(self._renderer.get_tokenizer(), "chat_template", None):
            return None
        return Capabilities(
            problems=(f"The model has no chat template: it can only continue texts. {REMEDY}",)
        )

    async def render(self, messages: Sequence[ChatMessage]) -> Any:
        """The engine's input; its `prompt_token_ids` are the prompt. Raises PromptRefusedError.

        The control tokens of the prompt must be those of the same turns with nothing written in them, in
        the same order. How typed text is tokenised sees to that; where some tokenizer undoes it, the request
        is refused rather than computed.
        """
        prompt = await self._render(messages)
        if control_sequence(prompt["prompt_token_ids"], self._control_ids) != await self._expected(messages):
            raise PromptRefusedError("The text contains a control sequence of the model. Remove it to send.")
        return prompt

    async def count(self, messages: Sequence[ChatMessage]) -> int:
        """How many tokens the prompt of these messages has, whether or not it fits the context."""
        prompt = await self._render(messages)
        return len(prompt["prompt_token_ids"])

    async def _expected(self, messages: Sequence[ChatMessage]) -> list[int]:
        shape = skeleton(messages)
        found = self._skeletons.get(shape)
        if found is None:
            prompt = await self._render(shape)
            found = control_sequence(prompt["prompt_token_ids"], self._control_ids)
            if len(self._skeletons) >= MAX_SKELETONS:
                self._skeletons.clear()
            self._skeletons[shape] = found
        return found

    async def _render(self, messages: Sequence[ChatMessage]) -> Any:
        if self._ours is not None:
            # In a thread: a long document takes tens of milliseconds.
            ids = await asyncio.to_thread(self._ours.ids, messages)
            return await self._completion({"prompt_token_ids": ids})
        guarded = self._neutraliser.messages(messages)
        if (text := raw_prompt(guarded)) is not None:
            return await self._completion({"prompt": text})
        turns: list[Any] = [{"role": message.role, "content": message.content} for message in guarded]
        _, (prompt,) = await self._renderer.render_chat_async([turns], CHAT_PARAMS, self._token_params)
        return prompt

    async def _completion(self, prompt: Any) -> Any:
        (rendered,) = await self._renderer.render_cmpl_async([prompt], self._raw_params)
        return rendered


def prompt_tokenizer(tokenizer: Any) -> PromptTokenizer | None:
    """By a fast tokenizer of transformers with a chat template; None for every other."""
    try:
        described = tokenizer.backend_tokenizer.to_str()
        template = tokenizer.get_chat_template()
    except (AttributeError, ValueError):
        return None
    names = {name: text for name, text in tokenizer.special_tokens_map.items() if isinstance(text, str)}
    try:
        return PromptTokenizer(Tokenizer.from_str(described), template, names)
    except ValueError as error:
        logger.warning("Typed control tokens are broken by an invisible character: %s", error)
        return None


def _control_tokens(tokenizer: Any) -> dict[str, int]:
    added = (
        AddedToken(id, token.content, token.special) for id, token in tokenizer.added_tokens_decoder.items()
    )
    return control_tokens(added, str(getattr(tokenizer, "chat_template", None) or ""))
