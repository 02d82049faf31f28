"""Chat templates of common families, written from their documented behaviour.

Each is reduced to what differs between families: roles, alternation, tools, reasoning, tokens around turns.
"""

from __future__ import annotations

from typing import NamedTuple


class Family(NamedTuple):
    """A template and what its makers say that it does."""

    source: str
    system: bool = True
    alternates: bool = False
    tools: bool = False
    reasoning: str = ""
    developer: bool = False


def chatml(*, before: str = "", role: str = "message.role", after: str = "") -> str:
    """`<|im_start|>role … <|im_end|>`, with something before the first turn or after the prompt."""
    return (
        before + "{% for message in messages %}{{ '<|im_start|>' + " + role + " + '\n' + message.content"
        " + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n" + after
        + "' }}{% endif %}"
    )  # fmt: skip


def tagged(user: str, assistant: str, end: str, *, system: str | None = "", bos: str = "") -> str:
    """`user` text `end` `assistant` text `end`; `system` None refuses such a turn."""
    refuse = "{{ raise_exception('System role not supported') }}" if system is None else ""
    written = "" if system is None else "{{ " + repr(system) + " + message.content + " + repr(end) + " }}"
    return (
        bos + "{% for message in messages %}{% if message.role == 'system' %}" + refuse + written
        + "{% elif message.role == 'user' %}{{ " + repr(user) + " + message.content + " + repr(end) + " }}"
        + "{% else %}{{ " + repr(assistant) + " + message.content + " + repr(end)
        + " }}{% endif %}{% endfor %}"
        + "{% if add_generation_prompt %}{{ " + repr(assistant) + " }}{% endif %}"
    )  # fmt: skip


ALTERNATE = (
    "{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% endfor %}"
)
ALTERNATE_AFTER_SYSTEM = (
    "{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set first = '' %}{% endif %}" + ALTERNATE
)

TOOLS_CHATML = (
    "{% if tools %}{{ '<|im_start|>system\n# Tools\n<tools>' }}{% for tool in tools %}{{ tool | tojson }}"
    "{% endfor %}{{ '</tools>\nReturn <tool_call></tool_call>.<|im_end|>\n' }}{% endif %}"
)

GEMMA_TURN = (
    "{{ bos_token }}{% for message in messages %}{% set role = 'model' if message.role == 'assistant' else "
    "message.role %}{{ '<start_of_turn>' + role + '\n' }}{% if loop.first and first %}{{ first }}{% endif %}"
    "{{ message.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL_TURN = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
    "{{ '[INST] ' + (first if loop.first and first else '') + message.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + message.content + eos_token }}{% endif %}{% endfor %}"
)
TOOLS_MISTRAL = (
    "{% if tools %}{{ '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{% endif %}"
)

HARMONY = (
    "{{ '<|start|>system<|message|>You are a model.<|end|>' }}"
    "{% if tools %}{{ '<|start|>developer<|message|>' }}"
    "{% for tool in tools %}{{ tool.function.name }}{% endfor %}{{ '<|end|>' }}{% endif %}"
    "{% for message in messages %}{% if message.role in ('system', 'developer') %}"
    "{{ '<|start|>developer<|message|># Instructions\n' + message.content + '<|end|>' }}"
    "{% elif message.role == 'user' %}{{ '<|start|>user<|message|>' + message.content + '<|end|>' }}"
    "{% else %}{{ '<|start|>assistant<|channel|>final<|message|>' + message.content + '<|end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)

FAMILIES = {
    "chatml": Family(chatml()),
    "smollm2": Family(chatml(before=(
        "{% if messages[0].role != 'system' %}"
        "{{ '<|im_start|>system\nYou are SmolLM.<|im_end|>\n' }}{% endif %}"
    ))),
    "qwen2": Family(chatml()),
    "qwen2.5": Family(chatml(before=TOOLS_CHATML), tools=True),
    "qwen3": Family(
        chatml(before=TOOLS_CHATML)
        + "{% if enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}",
        tools=True, reasoning="think",
    ),
    "qwq": Family(chatml(before=TOOLS_CHATML, after="<think>\n"), tools=True, reasoning="think"),
    "yi": Family(chatml()),
    "internlm2": Family(chatml(before="{{ bos_token }}")),
    "hermes3": Family(chatml(before="{{ bos_token }}" + TOOLS_CHATML), tools=True),
    "llama2": Family(
        "{% if messages[0].role == 'system' %}"
        "{% set first = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
        "{% set messages = messages[1:] %}{% else %}{% set first = '' %}{% endif %}"
        + ALTERNATE + MISTRAL_TURN,
        alternates=True,
    ),
    "llama3": Family(tagged(
        "<|start_header_id|>user<|end_header_id|>\n\n", "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>", system="<|start_header_id|>system<|end_header_id|>\n\n", bos="{{ bos_token }}",
    )),
    "llama3.1": Family(
        "{{ bos_token }}{% if tools %}"
        "{{ '<|start_header_id|>system<|end_header_id|>\n\n' + (tools | tojson) }}"
        "{{ '<|eot_id|>' }}{% endif %}" + tagged(
            "<|start_header_id|>user<|end_header_id|>\n\n",
            "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>",
            system="<|start_header_id|>system<|end_header_id|>\n\n",
        ), tools=True,
    ),
    "mistral-v0.1": Family("{% set first = '' %}" + ALTERNATE + MISTRAL_TURN, system=False, alternates=True),
    "mistral-v0.3": Family(
        TOOLS_MISTRAL + ALTERNATE_AFTER_SYSTEM + MISTRAL_TURN, tools=True, alternates=True,
    ),
    "mixtral": Family("{% set first = '' %}" + ALTERNATE + MISTRAL_TURN, system=False, alternates=True),
    "gemma": Family("{% set first = '' %}" + ALTERNATE + GEMMA_TURN, system=False, alternates=True),
    "gemma2": Family(
        "{% set first = '' %}{% if messages[0].role == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}" + ALTERNATE + GEMMA_TURN,
        system=False, alternates=True,
    ),
    "gemma3": Family(ALTERNATE_AFTER_SYSTEM + GEMMA_TURN, alternates=True),
    "phi3": Family(tagged("<|user|>\n", "<|assistant|>\n", "<|end|>\n", system="<|system|>\n")),
    "phi4": Family(tagged(
        "<|im_start|>user<|im_sep|>", "<|im_start|>assistant<|im_sep|>", "<|im_end|>",
        system="<|im_start|>system<|im_sep|>",
    )),
    "zephyr": Family(tagged("<|user|>\n", "<|assistant|>\n", "</s>\n", system="<|system|>\n")),
    "tinyllama": Family(tagged("<|user|>\n", "<|assistant|>\n", "</s>\n", system="<|system|>\n")),
    "vicuna": Family(tagged("USER: ", "ASSISTANT: ", "\n", system="")),
    "alpaca": Family(tagged("### Instruction:\n", "### Response:\n", "\n\n", system="")),
    "falcon": Family(tagged("User: ", "Falcon: ", "\n", system="System: ")),
    "openchat": Family(tagged(
        "GPT4 Correct User: ", "GPT4 Correct Assistant: ", "<|end_of_turn|>", system="",
    )),
    "command-r": Family(tagged(
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>", system="<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>",
    )),
    "deepseek-v2": Family(tagged("User: ", "Assistant: ", "\n\n", system="")),
    "deepseek-r1": Family(
        tagged("<｜User｜>", "<｜Assistant｜>", "", bos="{{ bos_token }}") + "{# <think> #}",
        reasoning="think",
    ),
    "glm4": Family(tagged("<|user|>\n", "<|assistant|>", "", system="<|system|>\n")),
    "granite": Family(tagged(
        "<|start_of_role|>user<|end_of_role|>", "<|start_of_role|>assistant<|end_of_role|>",
        "<|end_of_text|>\n", system="<|start_of_role|>system<|end_of_role|>",
    )),
    "gpt-oss": Family(HARMONY, tools=True, developer=True),
}  # fmt: skip
