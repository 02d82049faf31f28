"""What the website costs: the same prompts on bare AsyncLLM and through the site's socket, on real vLLM.

Runs alternate and are compared in pairs. Both engines live through the whole benchmark, started with
the same arguments; while one works the other is idle. The load client shares the processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench import load
from bench.bare_vllm import BareVllm, Done, Job
from bench.client import Stream
from bench.load import Ask, Plan
from bench.results import BenchmarkError, Result
from bench.site import HOST, Site, embedded
from bench.stats import paired_ratio, percentile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STREAMS = (1, 4, 32)
ROUNDS, FULL_ROUNDS = 3, 5
TOKENS, FULL_TOKENS = 64, 128
TIMEOUT_S = 180

TOPICS = (
    "the sea", "old maps", "bread", "a bicycle", "winter", "the moon", "a lighthouse", "tea",
    "a garden", "rivers", "clocks", "paper", "glass", "a violin", "bridges", "salt", "owls", "trains",
    "wool", "a harbour", "chess", "candles", "copper", "a library", "rain", "kites", "honey", "stones",
    "a mirror", "ink", "apples", "snow",
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """One round at one number of streams: bare, and through the socket."""

    bare: list[Done]
    socket: list[Stream]

    @property
    def bare_rate(self) -> float:
        """Tokens per second over all streams, first request to last token."""
        span = max(done.finished for done in self.bare) - min(done.added for done in self.bare)
        return sum(done.tokens for done in self.bare) / span

    @property
    def socket_rate(self) -> float:
        tokens = sum(stream.usage.completion_tokens for stream in self.socket if stream.usage)
        ends = [stream.finished for stream in self.socket if stream.finished is not None]
        return tokens / (max(ends) - min(stream.sent for stream in self.socket))

    @property
    def added_ttft_s(self) -> list[float]:
        """Per request: send to first text at the client, less add to first output at the engine."""
        return [added for stream in self.socket if (added := added_ttft(stream)) is not None]


def added_ttft(stream: Stream) -> float | None:
    """None for an answer without text or without times. `ttft_s` and `queue_s` count from the same moment."""
    usage = stream.usage
    if stream.ttft_s is None or usage is None or usage.ttft_s is None or usage.queue_s is None:
        return None
    return stream.ttft_s - (usage.ttft_s - usage.queue_s)


def question(number: int) -> str:
    return f"Tell me a long story about {TOPICS[number % len(TOPICS)]}."


def through_socket(site: Site, cookies: list[str], streams: int, tokens: int) -> list[Stream]:
    """One question each from as many people at once. Raises BenchmarkError when one fails."""
    asks = [Ask(n, 0.0, question(n), tokens, temperature=0.0) for n in range(streams)]
    outcome = load.run(
        Plan(
            host=HOST, ports=[site.port], cookies=cookies[:streams], asks=asks, timeout_s=TIMEOUT_S,
            compare=False,
        )
    )  # fmt: skip
    failures = [stream.failure for stream in outcome.streams if stream.failure]
    if failures:
        raise BenchmarkError(f"{len(failures)} of {streams} streams failed, the first: {failures[0]}")
    return outcome.streams


def measure(rounds: int, tokens: int) -> dict[int, list[Pair]]:
    """All rounds at all numbers of streams; which side goes first alternates."""
    found: dict[int, list[Pair]] = {streams: [] for streams in STREAMS}
    with embedded({"CHATSITE_ENGINE": "vllm"}) as site:
        site.wait("/readyz")
        cookies = site.people(max(STREAMS))
        with BareVllm(site.data_dir) as bare:

            def alone(streams: int, tokens: int) -> list[Done]:
                return bare.run([Job(question(n), tokens) for n in range(streams)])

            alone(max(STREAMS), 8)
            through_socket(site, cookies, max(STREAMS), 8)
            for turn in range(rounds):
                for streams, pairs in found.items():
                    if turn % 2:
                        ours = through_socket(site, cookies, streams, tokens)
                        pairs.append(Pair(alone(streams, tokens), ours))
                    else:
                        theirs = alone(streams, tokens)
                        pairs.append(Pair(theirs, through_socket(site, cookies, streams, tokens)))
    return found


def run(full: bool) -> Result:
    """Short: 3 rounds of 64 tokens; full: 5 of 128."""
    rounds, tokens = (FULL_ROUNDS, FULL_TOKENS) if full else (ROUNDS, TOKENS)
    found = measure(rounds, tokens)
    ratios = {
        streams: paired_ratio([pair.socket_rate for pair in pairs], [pair.bare_rate for pair in pairs])
        for streams, pairs in found.items()
    }
    added = {
        streams: [1000 * seconds for pair in pairs for seconds in pair.added_ttft_s]
        for streams, pairs in found.items()
    }
    everything = [ms for samples in added.values() for ms in samples]
    return Result(
        name="overhead",
        engine="vllm",
        full=full,
        settings={"rounds": rounds, "tokens": tokens, "temperature": 0, "model": "SmolLM2-135M-Instruct"},
        summary={
            **{f"ratio_socket_{streams}": ratio for streams, ratio in ratios.items()},
            "added_ttft_p50_ms": percentile(everything, 50),
            "added_ttft_p95_ms": percentile(everything, 95),
        },
        columns=("streams", "bare tok/s", "socket tok/s", "ratio", "added TTFT p50 ms", "added TTFT p95 ms"),
        rows=[
            [
                streams,
                median(pair.bare_rate for pair in pairs),
                median(pair.socket_rate for pair in pairs),
                ratios[streams],
                percentile(added[streams], 50),
                percentile(added[streams], 95),
            ]
            for streams, pairs in found.items()
        ],
        samples={
            str(streams): [
                {"bare": pair.bare_rate, "socket": pair.socket_rate, "added_ttft_s": pair.added_ttft_s}
                for pair in pairs
            ]
            for streams, pairs in found.items()
        },
        notes=[
            "Ratio: median over rounds of socket ÷ bare; the load client runs on the same processors.",
            "Added TTFT: (client's first text − send) − (engine's first output − add), per request.",
        ],
        plot=lambda figure: plot(figure, found),
    )


def plot(figure: Figure, found: dict[int, list[Pair]]) -> None:
    """Every pair as a point, by number of streams."""
    axes = figure.subplots()
    for streams, pairs in found.items():
        axes.plot([str(streams)] * len(pairs), [pair.socket_rate / pair.bare_rate for pair in pairs], "o")
    axes.axhline(1.0, linestyle=":", color="grey")
    axes.set_xlabel("streams")
    axes.set_ylabel("tokens/s, socket ÷ bare")
