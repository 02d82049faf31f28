"""Convert a GGUF file to a directory that vLLM loads. Runs as a process of its own, for it imports torch.

    python -m inference.model_store.convert FILE.gguf DIRECTORY PARENT_PID

vLLM's own GGUF path is slow on CPUs and wants the tokenizer from the network, so the weights are
dequantised once to bfloat16 safetensors, with tokenizer and chat template beside them. Each line on
stdout is JSON, `{"phase": text, "fraction": 0..1}`; an exception ends with its text on stderr.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

from inference.parent_death import die_with_parent

SAME_MATRIX = 0.1
"""Relative difference of two quantisations of one matrix: Q5_0 and Q8_0 differ by 0.03 to 0.05, unrelated
matrices by more than 1."""


SAMPLED_ROWS = 16
"""One row in so many is compared: all of them in float32 would take a gigabyte for a moment."""


def report(phase: str, fraction: float) -> None:
    """Print one progress line, flushed."""
    print(json.dumps({"phase": phase, "fraction": fraction}), flush=True)


def convert(source: Path, directory: Path) -> None:
    """Write model, tokenizer and chat template of `source` into `directory`, which must exist."""
    report("Loading the conversion library", 0.0)
    import gguf as gguf_library
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The library reads the file's 98,000 strings anew for configuration, tokenizer and weights: seconds each.
    setattr(gguf_library, "GGUFReader", functools.lru_cache(gguf_library.GGUFReader))  # noqa: B010

    report("Reading the tokenizer", 0.25)
    # Both read the local file; nothing is fetched.
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)  # nosec B615
    tokenizer.save_pretrained(directory)
    report("Unpacking the weights", 0.4)
    model = AutoModelForCausalLM.from_pretrained(  # nosec B615
        source.parent, gguf_file=source.name, dtype=torch.bfloat16
    )
    tie_embeddings(model)
    # The weights are plain bfloat16 now; the leftover setting would make loaders expect GGUF.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    setattr(model, "hf_quantizer", None)  # noqa: B010
    report("Writing the weights", 0.9)
    model.save_pretrained(directory)
    report("Converted", 1.0)


def tie_embeddings(model: Any) -> None:
    """Store embedding and head once where both are one matrix, quantised twice.

    GGUF files of models with tied embeddings may hold it in two types, here Q5_0 and Q8_0; the head's is the
    more exact one. In bfloat16 the second copy would be a fifth of a small model.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is None or head.weight is embedding.weight or head.weight.shape != embedding.weight.shape:
        return
    exact = head.weight.detach()[::SAMPLED_ROWS].float()
    difference = (embedding.weight.detach()[::SAMPLED_ROWS].float() - exact).norm() / exact.norm()
    if difference > SAME_MATRIX:
        return
    embedding.weight = head.weight
    model.config.tie_word_embeddings = True
    model.tie_weights()


if __name__ == "__main__":
    die_with_parent(int(sys.argv[3]))
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
