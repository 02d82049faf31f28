"""`GET /v1/models` and `GET /v1/models/{id}`: the engine's model, from the inference status."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from chatsite.accounts.models import ApiKey
from chatsite.backends import status_store
from chatsite.openai_api.endpoint import answer, endpoint
from chatsite.openai_api.errors import SERVER, ApiError
from chatsite.openai_api.schemas import Model, ModelList
from inference.status import InferenceStatus, current_status

CREATED = 0
"""When the model was made is not known here, and a made-up time would only look like knowledge."""

START_RETRY_S = 5.0
"""An engine that starts takes half a minute; asking every few seconds is enough."""


@endpoint("GET", ApiKey.Scope.MODELS)
async def list_models(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """All there are. Empty while the engine has not told its name yet."""
    status = await current_status(status_store())
    return answer(ModelList("list", (_model(status),) if status.info else ()))


@endpoint("GET", ApiKey.Scope.MODELS)
async def show_model(request: HttpRequest, key: ApiKey, id: str) -> HttpResponse:
    """One by its id."""
    status = await current_status(status_store())
    check_model_served(status, id)
    return answer(_model(status))


def check_model_served(status: InferenceStatus, show_model: str) -> None:
    """Is this the model that is served? Raises ApiError: 503 before there is any, 404 for another name."""
    if status.info is None:
        raise ApiError(
            503, f"The engine is not ready: {status.state}. {status.detail}".strip(), type=SERVER,
            code="engine_unavailable", retry_after_s=START_RETRY_S,
        )  # fmt: skip
    if show_model != status.info.model:
        raise ApiError(
            404, f"The model `{show_model}` does not exist or you do not have access to it.",
            code="model_not_found", param="model",
        )  # fmt: skip


def _model(status: InferenceStatus) -> Model:
    assert status.info is not None
    return Model(status.info.model, "model", CREATED, "chatsite", status.info.context_tokens)
