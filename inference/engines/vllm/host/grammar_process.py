"""The grammar process: compiles JSON schemas in resource-limited forks, one verdict for each.

Started as `python -I -c … <socket fd> <parent pid>`. It reads the model's vocabulary once, which takes a
second, and forks for every schema. The fork limits itself before it reads the schema, as the document readers
do: CPU time, address space, no child processes, and an alarm on the clock. It compiles the grammar with the
library that vLLM uses and takes some steps in it, for some grammars fail, or cost most, only when the first
tokens are masked. A fork that dies without a verdict counts as a refusal too.

Imports neither vLLM nor torch: it starts in a tenth of a second, and a fork copies next to nothing.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import msgspec
from llguidance import LLMatcher, LLTokenizer

from inference.engines.vllm.host.wire import LENGTH, receive
from inference.parent_death import die_with_parent

CPU_S = 0.25
"""CPU time for one schema. The schemas that people write take 10 ms, 500 alternatives 100 ms; the engine
spends as much once more, in threads beside its steps, which is what a running answer may feel."""

WALL_S = 5
"""Wall-clock time for one schema, where other processes have the CPU."""

MEMORY_BYTES = 512 * 1024 * 1024
"""Address space beyond the vocabulary's: the largest grammars that pass take 20 MB."""

NICENESS = 10
"""Tokens come first: a grammar may wait a little longer."""

MASK_S = 0.05
"""CPU time for the mask of one token. The engine fills one for each such answer in each of its
steps, and everybody waits for them; usual ones take 1 to 10 ms."""

STEPS = 24
"""Tokens generated as a test: enough to come from the opening bracket into the first values."""

MAX_ERROR_CHARS = 300
"""Characters of a compiler's error that are passed on; it quotes the schema."""

TOO_SLOW, TOO_LARGE, BROKE = "time", "memory", "broke"


class Vocabulary(msgspec.Struct, frozen=True):
    """The model's tokens: `tokenizer` is the text of tokenizer.json. Without one grammars are tried on
    bytes."""

    tokenizer: str | None = None
    size: int | None = None
    end: int | None = None


class GrammarVerdict(msgspec.Struct, frozen=True):
    """Whether a schema may be compiled: refused for the `limit` it ran into or with the compiler's `message`.

    Both are empty when it passed.
    """

    message: str = ""
    limit: str = ""


def main() -> None:
    """Answer schemas until the connection is closed."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    die_with_parent(int(sys.argv[2]))
    os.nice(NICENESS)
    tokenizer = build_tokenizer(msgspec.msgpack.decode(receive(connection), type=Vocabulary))
    while True:
        try:
            schema = receive(connection)
        except EOFError:
            return
        verdict = msgspec.msgpack.encode(run_limited(partial(try_grammar, schema.decode(), tokenizer)))
        connection.sendall(LENGTH.pack(len(verdict)) + verdict)


def build_tokenizer(vocabulary: Vocabulary) -> LLTokenizer:
    if vocabulary.tokenizer is None:
        return LLTokenizer("byte")
    return LLTokenizer(vocabulary.tokenizer, n_vocab=vocabulary.size, eos_token=vocabulary.end)


def run_limited(work: Callable[[], GrammarVerdict]) -> GrammarVerdict:
    """Run `work` in a resource-limited fork of this process and return its verdict."""
    theirs, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        _run_and_exit(work, ours)
    os.close(ours)
    with os.fdopen(theirs, "rb") as pipe:
        payload = pipe.read()
    _, status = os.waitpid(pid, 0)
    if payload:
        return msgspec.msgpack.decode(payload, type=GrammarVerdict)
    ended = -os.waitstatus_to_exitcode(status)
    return GrammarVerdict(limit=TOO_SLOW if ended in (signal.SIGPROF, signal.SIGALRM) else BROKE)


def _run_and_exit(work: Callable[[], GrammarVerdict], pipe: int) -> NoReturn:
    """The fork: run, write the verdict, exit. Standard output and error are closed: they are the engine's
    log."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        limit_resources()
        try:
            verdict = work()
        except MemoryError:
            verdict = GrammarVerdict(limit=TOO_LARGE)
        os.write(pipe, msgspec.msgpack.encode(verdict))
    finally:
        os._exit(0)


def limit_resources() -> None:
    """Limit this process's address space, children, core dumps, CPU time and wall-clock time."""
    with open("/proc/self/statm") as statm:
        taken = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, taken + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    # Finer than RLIMIT_CPU, which counts whole seconds.
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    signal.alarm(WALL_S)


def try_grammar(schema: str, tokenizer: LLTokenizer) -> GrammarVerdict:
    """Compile a schema, then generate some tokens that its grammar allows, pseudo-random by the schema."""
    try:
        matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(schema), log_level=0)
    except ValueError as error:
        return GrammarVerdict(_error_message(str(error)))
    choose = random.Random(schema)  # noqa: S311 - a path through a grammar, no secret
    for _ in range(STEPS):
        if matcher.is_error() or matcher.is_stopped():
            break
        begun = time.process_time()
        mask = int.from_bytes(matcher.compute_bitmask(), "little")
        if time.process_time() - begun > MASK_S:
            return GrammarVerdict(limit=TOO_SLOW)
        if matcher.is_error() or not mask or not matcher.consume_token(_random_bit(mask, choose)):
            break
    return GrammarVerdict(_error_message(matcher.get_error()) if matcher.is_error() else "")


def _random_bit(mask: int, choose: random.Random) -> int:
    """The first set bit from a random position on, or the first of all."""
    start = choose.randrange(mask.bit_length())
    above = mask >> start
    return start + (above & -above).bit_length() - 1 if above else (mask & -mask).bit_length() - 1


def _error_message(message: str) -> str:
    """The compiler's error message, without its state and its backtrace."""
    if message.startswith("NoExtensionBias"):
        return "No JSON fits this schema."
    first = message.split("\n")[0].split("<backtrace>")[0].strip()
    return first[:MAX_ERROR_CHARS] or "The schema cannot be compiled."


def command(folder: str) -> list[str]:
    """The command that starts it, isolated from the caller's environment; append socket and parent pid."""
    code = f"import sys; sys.path.insert(0, {json.dumps(folder)}); from {__name__} import main; main()"
    return [sys.executable, "-I", "-c", code]
