"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}` with the fitting status."""

from __future__ import annotations

import math

import msgspec
from django.http import HttpResponse

from chatsite.errors import Refusal
from chatsite.openai_api.schemas import ErrorBody, ErrorDetail
from inference.stream_log.base import Finished

OUTAGE_RETRY_S = 2.0
"""The model's servers are probed every second, and an overload lasts moments."""

INVALID, QUOTA, SERVER = "invalid_request_error", "insufficient_quota", "server_error"


class ApiError(Exception):
    """A request that is not served. `param` names the field at fault; `retry` False: asking again is no use.

    `retry_after_s` is when asking again may help.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = INVALID,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        retry: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = ErrorDetail(message, type, param, code)
        self.retry_after_s = retry_after_s
        self.retry = retry

    @property
    def body(self) -> bytes:
        return msgspec.json.encode(ErrorBody(self.detail))

    def response(self) -> HttpResponse:
        response = HttpResponse(self.body, content_type="application/json", status=self.status)
        if self.retry_after_s is not None:
            response["Retry-After"] = str(math.ceil(self.retry_after_s))
        if not self.retry:
            # The official clients repeat every 409, 429 and 5xx unless they are told not to.
            response["x-should-retry"] = "false"
        return response


def error_of_refusal(refusal: Refusal) -> ApiError:
    """What the site refuses, in OpenAI's words."""
    message, wait = refusal.message, refusal.retry_after_s
    match refusal.code:
        case "rate_limited":
            return ApiError(429, message, type="requests", code="rate_limit_exceeded", retry_after_s=wait)
        case "quota_exceeded":
            return ApiError(429, message, type=QUOTA, code=QUOTA, retry_after_s=wait, retry=False)
        case "queue_full" | "engine_unavailable" | "storage_full":
            return ApiError(503, message, type=SERVER, code=refusal.code, retry_after_s=wait)
        case "too_long":
            return ApiError(400, message, code="context_length_exceeded", param="messages")
        case "not_in_plan":
            return ApiError(403, message, code="not_in_plan", retry=False)
        case code:
            return ApiError(400, message, code=code, param="messages")


def error_of_ending(finished: Finished) -> ApiError | None:
    """What an ended generation is answered with in place of an answer; None where it is a whole one."""
    message = finished.message
    match finished.finish_reason:
        case "stop" | "length":
            return None
        case "timeout":
            return ApiError(504, message, type=SERVER, code="timeout", retry=False)
        case "interrupted":
            return ApiError(503, message, type=SERVER, code="interrupted", retry_after_s=1.0)
        case "cancelled":
            return ApiError(409, "The generation was stopped.", code="cancelled", retry=False)
        case _ if finished.fault == "request":
            # Be it a schema or a turn of the template: asked again it is refused again.
            return ApiError(400, message, code="engine_refused")
        case _ if not finished.usage.completion_tokens:
            # Nothing was made, and nothing is charged: the clients may wait an outage out.
            return ApiError(503, message, type=SERVER, code="engine_failed", retry_after_s=OUTAGE_RETRY_S)
        case _:
            return ApiError(500, message, type=SERVER, code="engine_error", retry=False)
