"""Which servers the remote engine uses, and as whom: one validated struct from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from inference.engine_settings import GPU_MAX_SEQS, SettingError, read_number
from inference.model_store.locate import remote_tokenizer

SMALLEST_CONTEXT = 256
"""Tokens; below it no chat template with a question and an answer has room."""

LARGEST_CONTEXT = 16_777_216
"""Tokens; far above any model, so that a slip of the keyboard is noticed."""


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`urls` without `/v1`. `model` "" is the first that the servers name.

    `slots` are requests at once per server. `context_tokens` None is what the servers say.
    `tokenizer` is a directory with the model's tokenizer.
    """

    urls: tuple[str, ...]
    api_key: str = ""
    model: str = ""
    slots: int = GPU_MAX_SEQS
    context_tokens: int | None = None
    tokenizer: Path | None = None

    def __repr__(self) -> str:
        """Without the key: representations end up in logs."""
        return f"RemoteSettings(urls={self.urls!r}, model={self.model!r}, slots={self.slots})"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RemoteSettings:
        """Raises SettingError or ModelNotFoundError, naming the variable, its value and the rule."""
        return cls(
            urls=_urls(env.get("CHATSITE_REMOTE_URLS", "")),
            api_key=_key(env.get("CHATSITE_REMOTE_API_KEY", "")),
            model=env.get("CHATSITE_REMOTE_MODEL", "").strip(),
            slots=read_number(env, "VLLM_MAX_NUM_SEQS", int, GPU_MAX_SEQS, 1, 4096),
            context_tokens=_context(env),
            tokenizer=remote_tokenizer(env),
        )


def _urls(value: str) -> tuple[str, ...]:
    urls = tuple(_url(part.strip()) for part in value.split(",") if part.strip())
    if not urls:
        raise SettingError(
            "CHATSITE_REMOTE_URLS is not set: CHATSITE_ENGINE=remote needs the addresses of its vLLM "
            "servers, separated by commas, as in http://gpu1:8000,http://gpu2:8000."
        )
    if len(set(urls)) < len(urls):
        raise SettingError(f"CHATSITE_REMOTE_URLS={value!r}: names a server twice. Name each once.")
    return urls


def _url(text: str) -> str:
    wrong = SettingError(
        f"CHATSITE_REMOTE_URLS: {text!r} is not a server's address. Give http:// or https://, host and port, "
        "without query or password, as in http://gpu1:8000."
    )
    try:
        parts = urlsplit(text)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_fits:
        raise wrong
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise wrong
    # People paste the base URL of OpenAI's clients; /tokenize and /metrics lie beside /v1, not below it.
    return text.rstrip("/").removesuffix("/v1").rstrip("/")


def _key(value: str) -> str:
    key = value.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        # Without the value: it is a secret, and this message goes to logs.
        raise SettingError("CHATSITE_REMOTE_API_KEY: must be printable ASCII without blanks.")
    return key


def _context(env: Mapping[str, str]) -> int | None:
    if env.get("VLLM_MAX_MODEL_LEN", "").strip() in {"", "auto", "-1"}:
        return None
    return read_number(env, "VLLM_MAX_MODEL_LEN", int, LARGEST_CONTEXT, SMALLEST_CONTEXT, LARGEST_CONTEXT)
