"""Refusal, the error that users see: a code, a message, an HTTP status."""

from __future__ import annotations

from http import HTTPStatus

STATUS_OF_CODE = {
    "empty": HTTPStatus.BAD_REQUEST,
    "too_long": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "forbidden_text": HTTPStatus.BAD_REQUEST,
    "bad_frame": HTTPStatus.BAD_REQUEST,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "quota_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "queue_full": HTTPStatus.SERVICE_UNAVAILABLE,
    "engine_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "storage_full": HTTPStatus.INSUFFICIENT_STORAGE,
    "not_found": HTTPStatus.NOT_FOUND,
    "not_in_plan": HTTPStatus.FORBIDDEN,
    "busy": HTTPStatus.CONFLICT,
    "wrong_password": HTTPStatus.FORBIDDEN,
    "sign_on_refused": HTTPStatus.FORBIDDEN,
    "provider_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Code → HTTP status. Another user's id is `not_found`, as a missing one; `not_in_plan` is about features."""


class Refusal(Exception):
    """A request that is rejected. Nothing was stored.

    `code` is one of `STATUS_OF_CODE`; `message` names the value, the rule and the remedy;
    `retry_after_s` tells in seconds when asking again may help; `needed` and `most` are tokens: of a
    `too_long` what there is room for, of a `quota_exceeded` what is left.
    """

    def __init__(
        self,
        code: str,
        message: str,
        retry_after_s: float | None = None,
        *,
        needed: int | None = None,
        most: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.needed = needed
        self.most = most

    @property
    def status(self) -> HTTPStatus:
        return STATUS_OF_CODE[self.code]
