"""Every setting of the inference tier, and whether those of one environment fit together."""

from __future__ import annotations

from collections.abc import Mapping

from inference.addresses import REDIS_URL
from inference.engines.choice import ENGINE
from inference.engines.emulated import engine as emulated
from inference.engines.remote import settings as remote
from inference.engines.vllm import settings as vllm
from inference.scheduling import policy
from inference.setting import SettingError, problems

SETTINGS = (
    REDIS_URL, ENGINE, *vllm.SETTINGS, *remote.SETTINGS, *emulated.SETTINGS, *policy.SETTINGS.values()
)  # fmt: skip
"""In the order of docs/settings.md."""


def wrong_settings(environment: Mapping[str, str]) -> list[str]:
    """One line for each setting that is wrong, or else for those that contradict each other."""
    if wrong := problems(SETTINGS, environment):
        return wrong
    for check in (policy.Policy.from_env, emulated.EmulatedSettings.from_env):
        try:
            check(environment)
        except SettingError as error:
            wrong.append(str(error))
    return wrong
