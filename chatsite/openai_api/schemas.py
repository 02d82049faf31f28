"""The wire of `/v1`, as schemas. The OpenAPI document is made from them.

Field by field after OpenAI's own reference of chat completions, completions and models. A request's own
fields are known or refused, since a misspelt limit would be none; what clients add to messages and parts, for
other servers, is ignored (tolerance.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr

from inference.request import MAX_TOKENS

Temperature = Annotated[float, Meta(ge=0, le=2)]
TopP = Annotated[float, Meta(gt=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]

LARGEST_EXACT = 2**53
"""Of whole numbers that are written with a point, as JavaScript and some serialisers do."""


def whole_between(low: int, high: int) -> Any:
    """A schema of whole numbers, `256.0` among them; the request makes an int of it."""
    bounds = Meta(ge=max(low, -LARGEST_EXACT), le=min(high, LARGEST_EXACT), multiple_of=1)
    return Annotated[int, Meta(ge=low, le=high)] | Annotated[float, bounds]


if TYPE_CHECKING:
    MaxTokens: TypeAlias = int
    Seed: TypeAlias = int
    Answers: TypeAlias = int
    Priority: TypeAlias = int
    TopTokens: TypeAlias = int
    FewTopTokens: TypeAlias = int
else:
    MaxTokens = whole_between(1, MAX_TOKENS)
    Seed = whole_between(-(2**63), 2**63 - 1)
    Answers = whole_between(1, 128)
    """How many answers to one prompt: of any but one the request is refused by name."""
    Priority = whole_between(-(2**31), 2**31 - 1)
    TopTokens, FewTopTokens = whole_between(0, 20), whole_between(0, 5)

Text = Annotated[str, Meta(max_length=1_000)]
"""Of what is read and thrown away."""

StopString = Annotated[str, Meta(min_length=1, max_length=200)]
Stop = StopString | Annotated[list[StopString], Meta(max_length=64)]
"""OpenAI takes four; programs that were made for vLLM send a dozen."""

FinishReason = Literal["stop", "length"]


class In(Struct, frozen=True, forbid_unknown_fields=True):
    """What a program sends."""


class TolerantIn(Struct, frozen=True):
    """A part of it in which clients send fields for other servers: those are ignored."""


class Out(Struct, frozen=True):
    """What it gets."""


# --- chat completions: request ------------------------------------------------------------------


class TextPart(TolerantIn, frozen=True, tag_field="type", tag="text"):
    """A piece of a message. Text is the only kind that the model reads."""

    text: str


class ChatTurn(TolerantIn, frozen=True):
    """One message. `developer` is today's name for `system`.

    What comes back from an answer may be sent as it came; `tool_calls` and the like must be empty.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None
    name: Text | None = None
    refusal: Text | None = None
    annotations: Annotated[list[Any], Meta(max_length=0)] | None = None
    tool_calls: Annotated[list[Any], Meta(max_length=0)] | None = None
    audio: None = None
    function_call: None = None
    reasoning_content: str | None = None


class StreamOptions(TolerantIn, frozen=True):
    """`include_usage`: one more chunk with the whole request's usage, before `[DONE]`."""

    include_usage: bool = False
    include_obfuscation: bool = False


class TextFormat(In, frozen=True, tag_field="type", tag="text"):
    """Plain text, as without."""


class JsonObjectFormat(In, frozen=True, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(In, frozen=True):
    """A schema under a name. It is always held to: `strict` changes nothing."""

    name: Text
    schema: dict[str, Any]
    description: Text | None = None
    strict: bool | None = None


class JsonSchemaFormat(In, frozen=True, tag_field="type", tag="json_schema"):
    """JSON that fits the schema."""

    json_schema: JsonSchema


ResponseFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat


class GenerationRequest(In, frozen=True, kw_only=True):
    """What both forms of a request have in common.

    `priority` above 0 or `service_tier` flex: may wait. Nothing hastens a request.
    """

    model: Annotated[str, Meta(min_length=1, max_length=500)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: MaxTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stop: Stop | None = None
    seed: Seed | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    n: Answers | None = None
    logit_bias: dict[str, float] | None = None
    priority: Priority | None = None
    service_tier: Literal["auto", "default", "flex"] | None = None
    ignore_eos: bool | None = None
    user: Text | None = None

    def __post_init__(self) -> None:
        for name in WHOLE:
            if isinstance(value := getattr(self, name, None), float):
                force_setattr(self, name, int(value))


WHOLE = (
    "max_tokens", "max_completion_tokens", "seed", "n", "best_of", "priority", "top_logprobs", "logprobs",
)  # fmt: skip
"""Fields whose numbers are whole, however they are written."""


class ChatRequest(GenerationRequest, frozen=True, kw_only=True):
    """`POST /v1/chat/completions`: a conversation that the model continues.

    `store`: keep it in the owner's history; without, it is erased a minute after its end.
    """

    messages: Annotated[list[ChatTurn], Meta(min_length=1, max_length=2_000)]
    max_completion_tokens: MaxTokens | None = None
    logprobs: bool | None = None
    top_logprobs: TopTokens | None = None
    response_format: ResponseFormat | None = None
    tools: list[Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    modalities: list[Literal["text"]] | None = None
    store: bool | None = None
    safety_identifier: Text | None = None
    prompt_cache_key: Text | None = None
    metadata: dict[str, Text] | None = None


# --- completions: request -----------------------------------------------------------------------


class CompletionRequest(GenerationRequest, frozen=True, kw_only=True):
    """`POST /v1/completions`: one prompt that the model continues, without a chat template."""

    prompt: str | Annotated[list[str], Meta(min_length=1, max_length=1)]
    best_of: Answers | None = None
    echo: bool | None = None
    logprobs: FewTopTokens | None = None
    suffix: Text | None = None
    repetition_penalty: float | None = None


# --- usage --------------------------------------------------------------------------------------


class PromptDetails(Out, frozen=True):
    """`cached_tokens`: of the prompt, not computed again."""

    cached_tokens: int
    audio_tokens: int = 0


class CompletionDetails(Out, frozen=True):
    """OpenAI's details; nothing of it is made here."""

    reasoning_tokens: int = 0
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class CompletionUsage(Out, frozen=True):
    """Tokens of one request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails = CompletionDetails()


# --- chat completions: response -----------------------------------------------------------------


class LikelyToken(Out, frozen=True):
    """A token that might have stood there. `bytes` are those of its text in UTF-8."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


class DrawnToken(Out, frozen=True):
    """A token of the answer, and the likeliest in its place."""

    token: str
    logprob: float
    bytes: tuple[int, ...]
    top_logprobs: tuple[LikelyToken, ...]


class ChatLogprobs(Out, frozen=True):
    """How likely each token was: natural logarithms."""

    content: tuple[DrawnToken, ...]
    refusal: None = None


class ChatMessageOut(Out, frozen=True, omit_defaults=False):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: None = None
    annotations: tuple[Any, ...] = ()
    reasoning_content: str | UnsetType = UNSET


class ChatChoice(Out, frozen=True):
    """The one answer there is."""

    index: int
    message: ChatMessageOut
    finish_reason: FinishReason
    logprobs: ChatLogprobs | None = None


class ChatCompletion(Out, frozen=True):
    """The whole answer to a chat request."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: tuple[ChatChoice, ...]
    usage: CompletionUsage
    service_tier: Literal["default", "flex"]
    system_fingerprint: None = None


class ChatDelta(Out, frozen=True):
    """What a chunk adds. The first has the role; the last is empty."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET


class ChunkChoice(Out, frozen=True):
    """A chunk of the one answer."""

    index: int
    delta: ChatDelta
    finish_reason: FinishReason | None = None
    logprobs: ChatLogprobs | None = None


class ChatChunk(Out, frozen=True):
    """One `data:` line of a streamed chat. With `include_usage` the last has no choice, but the usage."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    service_tier: Literal["default", "flex"]
    usage: CompletionUsage | UnsetType | None = UNSET
    system_fingerprint: None = None


# --- completions: response ----------------------------------------------------------------------


class TextLogprobs(Out, frozen=True):
    """How likely each token was; `text_offset`: where it begins in the answer, in characters."""

    tokens: tuple[str, ...]
    token_logprobs: tuple[float, ...]
    top_logprobs: tuple[dict[str, float], ...]
    text_offset: tuple[int, ...]


class TextChoice(Out, frozen=True):
    """The continuation, or a piece of it."""

    index: int
    text: str
    finish_reason: FinishReason | None = None
    logprobs: TextLogprobs | None = None


class Completion(Out, frozen=True):
    """The answer to a completion request; also each `data:` line of a streamed one."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: tuple[TextChoice, ...]
    usage: CompletionUsage | UnsetType | None = UNSET
    system_fingerprint: None = None


# --- models, usage, errors ----------------------------------------------------------------------


class Model(Out, frozen=True):
    """The model. `max_model_len`, as vLLM calls it: the context in tokens, prompt and answer together."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int


class ModelList(Out, frozen=True):
    """All models there are: one."""

    object: Literal["list"]
    data: tuple[Model, ...]


class OwnerBudget(Out, frozen=True):
    """A token budget of the key's owner. `used` counts what is reserved; `resets_at` in Unix seconds."""

    name: Literal["day", "month", "grant"]
    used: int
    limit: int
    resets_at: int


class KeyUsage(Out, frozen=True):
    """What this key has used of its own budget (None: it has none of its own), and how its owner stands."""

    object: Literal["usage"]
    key: str
    tokens_used: int
    token_budget: int | None
    expires_at: int | None
    owner: tuple[OwnerBudget, ...]


class ErrorDetail(Out, frozen=True):
    """`param` names the field at fault, `code` the rule, where there is one."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(Out, frozen=True):
    """Every error."""

    error: ErrorDetail
