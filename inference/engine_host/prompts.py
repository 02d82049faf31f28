"""From chat messages to prompt tokens, by vLLM's own renderer, with nobody's text becoming control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vllm.renderers import BaseRenderer, ChatParams

from inference.control_tokens import AddedToken, Neutraliser, control_sequence, control_tokens, skeleton
from inference.prompt import PromptRefusedError
from inference.request import ChatMessage, raw_prompt

CHAT_PARAMS = ChatParams(chat_template_kwargs={"add_generation_prompt": True})

MAX_SKELETONS = 512
"""Different shapes of conversation whose control tokens are remembered; each is a few hundred bytes."""


class Prompts:
    """Renders messages. One per engine, used from its event loop."""

    def __init__(self, renderer: BaseRenderer) -> None:
        self._renderer = renderer
        # Without vLLM's own limit: the host names the context, and a count may be above it.
        self._token_params = replace(renderer.default_chat_tok_params, max_total_tokens=None)
        self._raw_params = replace(renderer.default_cmpl_tok_params, max_total_tokens=None)
        tokenizer: Any = renderer.get_tokenizer()
        tokens = control_tokens(
            AddedToken(id, token.content, token.special)
            for id, token in tokenizer.added_tokens_decoder.items()
        )
        self._control_ids = frozenset(tokens.values())
        self._neutraliser = Neutraliser(tokens)
        self._skeletons: dict[tuple[ChatMessage, ...], list[int]] = {}

    async def render(self, messages: Sequence[ChatMessage]) -> Any:
        """The engine's input; its `prompt_token_ids` are the prompt. Raises PromptRefusedError.

        The control tokens of the prompt must be those of the same turns with nothing written in them, in
        the same order. Neutralising sees to that; where some tokenizer's normalisation undoes it, the
        request is refused rather than computed.
        """
        prompt = await self._render(self._neutraliser.messages(messages))
        if control_sequence(prompt["prompt_token_ids"], self._control_ids) != await self._expected(messages):
            raise PromptRefusedError("The text contains a control sequence of the model. Remove it to send.")
        return prompt

    async def count(self, messages: Sequence[ChatMessage]) -> int:
        """How many tokens the prompt of these messages has, whether or not it fits the context."""
        prompt = await self._render(self._neutraliser.messages(messages))
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
        if (text := raw_prompt(messages)) is not None:
            (prompt,) = await self._renderer.render_cmpl_async([{"prompt": text}], self._raw_params)
            return prompt
        turns: list[Any] = [{"role": message.role, "content": message.content} for message in messages]
        _, (prompt,) = await self._renderer.render_chat_async([turns], CHAT_PARAMS, self._token_params)
        return prompt
