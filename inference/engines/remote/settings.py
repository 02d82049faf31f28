"""Settings of the remote engine, read from the environment and validated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from inference.engines.vllm.settings import FIT_TO_MEMORY, GPU_MAX_SEQS, MAX_MODEL_LEN, MAX_NUM_SEQS
from inference.model_store.source import REMOTE_TOKENIZER, remote_tokenizer
from inference.setting import RuleError, Setting, SettingError, text


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses, credentials and limits of the servers. `urls` without `/v1`. `model` "" is the first that
    the servers list.

    `slots` are requests at once per server. `context_tokens` None is what the servers report.
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
            urls=_required_urls(env),
            api_key=API_KEY.read(env),
            model=SERVED_MODEL.read(env),
            slots=MAX_NUM_SEQS.read(env) or GPU_MAX_SEQS,
            context_tokens=None if (length := MAX_MODEL_LEN.read(env)) == FIT_TO_MEMORY else length,
            tokenizer=remote_tokenizer(env),
        )


def _urls(value: str) -> tuple[str, ...]:
    urls = tuple(_url(part.strip()) for part in value.split(",") if part.strip())
    if len(set(urls)) < len(urls):
        raise RuleError("names a server twice. Name each once.")
    return urls


def _url(text: str) -> str:
    wrong = RuleError(
        f"{text!r} is not a server's address. Give http:// or https://, host and port, "
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
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError
    return value


URLS = Setting(name="CHATSITE_REMOTE_URLS", parse=_urls, default=())
API_KEY = Setting(
    name="CHATSITE_REMOTE_API_KEY", parse=_key, rule="printable ASCII without blanks", default="", secret=True
)
SERVED_MODEL = text("CHATSITE_REMOTE_MODEL")

SETTINGS = (URLS, API_KEY, SERVED_MODEL, REMOTE_TOKENIZER)


def _required_urls(env: Mapping[str, str]) -> tuple[str, ...]:
    urls: tuple[str, ...] = URLS.read(env)
    if not urls:
        raise SettingError(
            "CHATSITE_REMOTE_URLS is not set: CHATSITE_ENGINE=remote needs the addresses of its vLLM "
            "servers, separated by commas, as in http://gpu1:8000,http://gpu2:8000."
        )
    return urls
