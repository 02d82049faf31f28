"""`GET /v1/openapi.json`: the document, made from the schemas that validate the wire."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from chatsite.accounts.models import ApiKey
from chatsite.openai_api import schemas

REFERENCE = "#/components/schemas/{name}"

ERRORS = {
    400: "The request cannot be served as it is; `param` names the field at fault.",
    401: "There is no key, or it is wrong, expired or revoked.",
    403: "The key lacks the scope.",
    404: "There is no such model.",
    405: "Another method is meant.",
    413: "The body is too large.",
    409: "The generation was stopped from elsewhere.",
    429: "Too many requests, or the budget is used up; see Retry-After.",
    500: "The engine could not answer this.",
    503: "The line is full or the engine is not ready; see Retry-After.",
    504: "It took longer than allowed.",
}

READING, ASKING = (401, 403, 405, 429), tuple(ERRORS)
"""What requests that only read, and those that ask the model, may be refused with."""


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """Open to everybody: it holds nothing of this site but its shape."""
    return HttpResponse(msgspec.json.encode(openapi_document()), content_type="application/json")


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document; of 3.2, the first that can describe a stream of events."""
    _, components = msgspec.json.schema_components(
        [
            schemas.ChatRequest,
            schemas.ChatCompletion,
            schemas.ChatChunk,
            schemas.CompletionRequest,
            schemas.Completion,
            schemas.Model,
            schemas.ModelList,
            schemas.KeyUsage,
            schemas.ErrorBody,
        ],
        ref_template=REFERENCE,
    )
    for name in ("ChatRequest", "CompletionRequest"):
        components[name]["additionalProperties"] = {"type": "null"}
    return {
        "openapi": "3.2.0",
        "info": {"title": "chatsite", "version": "1", "description": "The team's model, for programs."},
        "servers": [{"url": "/v1"}],
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    scope = ApiKey.Scope
    id_parameter = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    return {
        "/models": {"get": _operation("listModels", scope.MODELS, "ModelList", READING)},
        "/models/{id}": {
            "get": _operation("retrieveModel", scope.MODELS, "Model", (*READING, 404, 503))
            | {"parameters": [id_parameter]}
        },
        "/chat/completions": {
            "post": _operation("createChatCompletion", scope.CHAT, "ChatCompletion", ASKING, "ChatChunk")
            | _takes("ChatRequest")
        },
        "/completions": {
            "post": _operation("createCompletion", scope.CHAT, "Completion", ASKING, "Completion")
            | _takes("CompletionRequest")
        },
        "/usage": {"get": _operation("readUsage", scope.USAGE, "KeyUsage", READING)},
    }


def _operation(
    name: str, scope: str, answer: str, errors: tuple[int, ...], chunk: str | None = None
) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference(answer)}}
    if chunk is not None:
        content["text/event-stream"] = {"itemSchema": _event(chunk)}
    failed = {"application/json": {"schema": _reference("ErrorBody")}}
    return {
        "operationId": name,
        "description": f"Needs the scope `{scope}`.",
        "responses": {
            "200": {"description": "Served.", "content": content},
            **{str(status): {"description": ERRORS[status], "content": failed} for status in errors},
        },
    }


def _event(chunk: str) -> dict[str, Any]:
    """One event: a chunk as JSON, an error as JSON where the answer broke off, or `[DONE]`."""
    told = {"contentMediaType": "application/json"}
    data = [
        {**told, "contentSchema": _reference(chunk)},
        {**told, "contentSchema": _reference("ErrorBody")},
        {"const": "[DONE]"},
    ]
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "string", "anyOf": data}},
    }


def _takes(schema: str) -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(schema)}}}
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}
