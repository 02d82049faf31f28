"""`GET /v1/models` and `GET /v1/models/{id}`: the engine's model, from the board."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from chatsite.accounts.models import ApiKey
from chatsite.openai_api.endpoint import answer, endpoint
from chatsite.openai_api.errors import SERVER, ApiError
from chatsite.openai_api.schemas import Model, ModelList
from chatsite.wiring import board_store
from inference.board import Board, current

CREATED = 0
"""When the model was made is not known here, and a made-up time would only look like knowledge."""

START_RETRY_S = 5.0
"""An engine that starts takes half a minute; asking every few seconds is enough."""


@endpoint("GET", ApiKey.Scope.MODELS)
async def models(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """All there are. Empty while the engine has not told its name yet."""
    board = await current(board_store())
    return answer(ModelList("list", (_model(board),) if board.info else ()))


@endpoint("GET", ApiKey.Scope.MODELS)
async def model(request: HttpRequest, key: ApiKey, id: str) -> HttpResponse:
    """One by its id."""
    board = await current(board_store())
    check_model(board, id)
    return answer(_model(board))


def check_model(board: Board, model: str) -> None:
    """Is this the model that is served? Raises ApiError: 503 before there is any, 404 for another name."""
    if board.info is None:
        raise ApiError(
            503, f"The engine is not ready: {board.state}. {board.detail}".strip(), type=SERVER,
            code="engine_unavailable", retry_after_s=START_RETRY_S,
        )  # fmt: skip
    if model != board.info.model:
        raise ApiError(
            404, f"The model `{model}` does not exist or you do not have access to it.",
            code="model_not_found", param="model",
        )  # fmt: skip


def _model(board: Board) -> Model:
    assert board.info is not None
    return Model(board.info.model, "model", CREATED, "chatsite", board.info.context_tokens)
