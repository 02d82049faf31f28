"""Choose the demonstration model by what this machine has: memory, and how fast it reads it.

Writing a token reads every weight once, so on a processor the memory's speed divided by the weights' size is
the most that one stream can have; measured engines reach EFFICIENCY of it (decision 0019).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from pathlib import Path
from time import perf_counter
from typing import Literal

import msgspec

from inference.model_store.demo_models import QWEN, SMOLLM2, DemoModel
from inference.setting import SettingError

FROM_TOKENS_PER_S = 4.0
"""Slower than this nobody waits for an answer; people read about five words a second."""

EFFICIENCY = 0.8
"""Of the memory's speed, what vLLM reaches at one stream: 5.3 of 6.6 tokens/s on two AVX2 cores."""

ENGINE_BYTES = 3_500_000_000
"""Resident beside weights and KV cache: two processes with vLLM and torch, and the conversion's peak."""

PROBE_BYTES = 128 * 1024 * 1024
"""Read again and again: four times a usual third-level cache, and filled in a tenth of a second."""

PROBE_S = 0.3
"""With filling the memory first, half a second in all."""

GIB = 1 << 30


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the choice depends on. Bytes; `read_bytes_per_s` is None where it was not measured."""

    device: Literal["cpu", "gpu"]
    available_bytes: int
    kv_bytes: int
    weight_bytes: int
    read_bytes_per_s: float | None = None


class DemoChoice(msgspec.Struct, frozen=True):
    """The model to serve, and why, in one sentence."""

    model: DemoModel
    why: str


def choose_demo_model(wanted: str, machine: Machine) -> DemoChoice:
    """`wanted`: auto, or a model's key, which decides but for memory that is too short."""
    if wanted == SMOLLM2.key:
        return DemoChoice(SMOLLM2, "CHATSITE_DEMO_MODEL=smollm2 asks for it.")
    needed = needed_bytes(QWEN, machine)
    if machine.device == "cpu" and machine.available_bytes < needed:
        return DemoChoice(
            SMOLLM2,
            f"{QWEN.name} needs {_gb(needed)} of memory, and {_gb(machine.available_bytes)} are available.",
        )
    if wanted == QWEN.key:
        return DemoChoice(QWEN, "CHATSITE_DEMO_MODEL=qwen asks for it.")
    if machine.device == "gpu" or machine.read_bytes_per_s is None:
        return DemoChoice(QWEN, f"It answers in {QWEN.speaks}.")
    speed = tokens_per_s(QWEN, machine)
    if speed < FROM_TOKENS_PER_S:
        return DemoChoice(
            SMOLLM2,
            f"{QWEN.name} would write about {speed:.1f} tokens/s here, by memory that is read at "
            f"{_gb(machine.read_bytes_per_s)}/s; from {FROM_TOKENS_PER_S:g} on it is taken. "
            f"CHATSITE_DEMO_MODEL=qwen takes it in any case.",
        )
    return DemoChoice(QWEN, f"It answers in {QWEN.speaks}; here about {speed:.0f} tokens/s are expected.")


def needed_bytes(model: DemoModel, machine: Machine) -> int:
    """Memory that serving it takes."""
    return model.parameters * machine.weight_bytes + machine.kv_bytes + ENGINE_BYTES


def tokens_per_s(model: DemoModel, machine: Machine) -> float:
    """The estimate for one stream, from a measured memory speed."""
    return (machine.read_bytes_per_s or 0.0) * EFFICIENCY / (model.parameters * machine.weight_bytes)


def this_machine(device: Literal["cpu", "gpu"], dtype: str, kv_gib: int, *, probe: bool) -> Machine:
    """Look at this machine; `probe` reads memory for half a second. Call it in a thread."""
    return Machine(
        device=device,
        available_bytes=available_bytes(),
        kv_bytes=kv_gib * GIB,
        weight_bytes=weight_bytes(dtype, cpu_flags()),
        read_bytes_per_s=memory_speed() if probe and device == "cpu" else None,
    )


def weight_bytes(dtype: str, flags: frozenset[str]) -> int:
    """Bytes of one weight as it is computed with: decision 0015's rule, by the processor's flags."""
    if dtype == "auto":
        return 2 if "avx512f" in flags or "asimd" in flags else 4
    return 4 if dtype == "float32" else 2


def cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The processor's features as Linux names them; empty where it does not tell."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    found = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return frozenset(next(found, "").split())


def available_bytes(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory that can still be taken: the machine's, or what is left of the container's limit."""
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError as error:
        raise SettingError(f"{proc}/meminfo cannot be read; set CHATSITE_DEMO_MODEL=smollm2.") from error
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        reclaimable = _stat(cgroup / "memory.stat", "inactive_file")
    except (OSError, ValueError):
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - used + reclaimable))


def memory_speed(size: int = PROBE_BYTES, seconds: float = PROBE_S) -> float:
    """Bytes that all cores together read in a second, by searching memory for a byte that is not in it."""
    libc = ctypes.CDLL(None)
    libc.memchr.restype = ctypes.c_void_p
    for function in (libc.memchr, libc.memset):
        function.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    cores = len(os.sched_getaffinity(0))
    share = size // cores
    read = [0] * cores
    filled = threading.Barrier(cores)
    took = [0.0] * cores

    def scan(core: int) -> None:
        with mmap.mmap(-1, share) as memory:
            view = (ctypes.c_char * share).from_buffer(memory)
            address = ctypes.addressof(view)
            # Pages that nobody wrote are one page of zeros, which stays in the cache.
            libc.memset(address, 1, share)
            filled.wait()
            began = perf_counter()
            while took[core] < seconds:
                libc.memchr(address, 2, share)
                read[core] += share
                took[core] = perf_counter() - began
            del view

    threads = [threading.Thread(target=scan, args=(core,)) for core in range(cores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(read) / max(took)


def _stat(path: Path, name: str) -> int:
    lines = path.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + " "))


def _gb(amount: float) -> str:
    return f"{amount / 1e9:.1f} GB"
