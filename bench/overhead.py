"""What the website costs: the same prompts on bare AsyncLLM and through the site's doors, on real vLLM.

Runs alternate and are compared in pairs. Both engines live through the whole benchmark, started with
the same arguments; while one works the other is idle. The load client shares the processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.bare_vllm import Done, Job, bare_vllm
from bench.results import Result
from tests.support import load
from tests.support import site_keys as keys
from tests.support.chat_client import Stream
from tests.support.errors import BenchmarkError
from tests.support.load import Ask, Plan
from tests.support.site import HOST, Site, embedded
from tests.support.stats import paired_ratio, percentile

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
    """One round at one number of streams: bare, through the socket, and through `/v1`."""

    bare: list[Done]
    socket: list[Stream]
    api: list[Stream]

    @property
    def bare_rate(self) -> float:
        """Tokens per second over all streams, first request to last token."""
        span = max(done.finished for done in self.bare) - min(done.added for done in self.bare)
        return sum(done.tokens for done in self.bare) / span

    @property
    def socket_rate(self) -> float:
        return rate(self.socket)

    @property
    def api_rate(self) -> float:
        return rate(self.api)

    @property
    def added_ttft_s(self) -> list[float]:
        """Per request: send to first text at the client, less add to first output at the engine."""
        return [added for stream in self.socket if (added := added_ttft(stream)) is not None]


def rate(streams: list[Stream]) -> float:
    """Tokens per second over all streams, first request to last token."""
    tokens = sum(stream.usage.completion_tokens for stream in streams if stream.usage)
    ends = [stream.finished for stream in streams if stream.finished is not None]
    return tokens / (max(ends) - min(stream.sent for stream in streams))


def added_ttft(stream: Stream) -> float | None:
    """None for an answer without text or without times. `ttft_s` and `queue_s` count from the same moment."""
    usage = stream.usage
    if stream.ttft_s is None or usage is None or usage.ttft_s is None or usage.queue_s is None:
        return None
    return stream.ttft_s - (usage.ttft_s - usage.queue_s)


def question(number: int) -> str:
    return f"Tell me a long story about {TOPICS[number % len(TOPICS)]}."


def through_site(site: Site, streams: int, tokens: int, **door: list[str]) -> list[Stream]:
    """One question each from as many people (`cookies`) or programs (`keys`) at once.

    Raises BenchmarkError when one fails.
    """
    asks = [Ask(n, 0.0, question(n), tokens, temperature=0.0) for n in range(streams)]
    callers = {name: held[:streams] for name, held in door.items()}
    outcome = load.run(
        Plan(host=HOST, ports=[site.port], asks=asks, timeout_s=TIMEOUT_S, compare=False, **callers)
    )
    failures = [stream.failure for stream in outcome.streams if stream.failure]
    if failures:
        raise BenchmarkError(f"{len(failures)} of {streams} streams failed, the first: {failures[0]}")
    return outcome.streams


def measure(rounds: int, tokens: int) -> dict[int, list[Pair]]:
    """All rounds at all numbers of streams; which side goes first alternates."""
    found: dict[int, list[Pair]] = {streams: [] for streams in STREAMS}
    with embedded({"CHATSITE_ENGINE": "vllm"}) as site:
        site.wait("/readyz")
        cookies, api_keys = site.people(max(STREAMS)), keys.of(site, max(STREAMS))
        with bare_vllm(site.data_dir) as bare:

            def alone(streams: int, tokens: int) -> list[Done]:
                return bare.run([Job(question(n), tokens) for n in range(streams)])

            def socket(streams: int, tokens: int) -> list[Stream]:
                return through_site(site, streams, tokens, cookies=cookies)

            def api(streams: int, tokens: int) -> list[Stream]:
                return through_site(site, streams, tokens, keys=api_keys)

            alone(max(STREAMS), 8)
            socket(max(STREAMS), 8)
            for turn in range(rounds):
                for streams, pairs in found.items():
                    if turn % 2:
                        by_api, by_socket = api(streams, tokens), socket(streams, tokens)
                        pairs.append(Pair(alone(streams, tokens), by_socket, by_api))
                    else:
                        theirs, by_socket = alone(streams, tokens), socket(streams, tokens)
                        pairs.append(Pair(theirs, by_socket, api(streams, tokens)))
    return found


def run(full: bool) -> Result:
    """Short: 3 rounds of 64 tokens; full: 5 of 128."""
    rounds, tokens = (FULL_ROUNDS, FULL_TOKENS) if full else (ROUNDS, TOKENS)
    found = measure(rounds, tokens)
    ratios = {
        streams: paired_ratio([pair.socket_rate for pair in pairs], [pair.bare_rate for pair in pairs])
        for streams, pairs in found.items()
    }
    api_ratios = {
        streams: paired_ratio([pair.api_rate for pair in pairs], [pair.bare_rate for pair in pairs])
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
            **{f"ratio_api_{streams}": ratio for streams, ratio in api_ratios.items()},
            "added_ttft_p50_ms": percentile(everything, 50),
            "added_ttft_p95_ms": percentile(everything, 95),
        },
        columns=(
            "streams",
            "bare tok/s",
            "socket tok/s",
            "/v1 tok/s",
            "socket ratio",
            "/v1 ratio",
            "added TTFT p50 ms",
            "added TTFT p95 ms",
        ),
        rows=[
            [
                streams,
                median(pair.bare_rate for pair in pairs),
                median(pair.socket_rate for pair in pairs),
                median(pair.api_rate for pair in pairs),
                ratios[streams],
                api_ratios[streams],
                percentile(added[streams], 50),
                percentile(added[streams], 95),
            ]
            for streams, pairs in found.items()
        ],
        samples={
            str(streams): [
                {
                    "bare": pair.bare_rate,
                    "socket": pair.socket_rate,
                    "api": pair.api_rate,
                    "added_ttft_s": pair.added_ttft_s,
                }
                for pair in pairs
            ]
            for streams, pairs in found.items()
        },
        notes=[
            "Ratio: median over rounds of socket or /v1 ÷ bare; the load client runs on the same processors.",
            "Added TTFT: (client's first text − send) − (engine's first output − add), per request, socket.",
        ],
        plot=lambda figure: plot(figure, found),
    )


def plot(figure: Figure, found: dict[int, list[Pair]]) -> None:
    """Every pair as a point, by number of streams."""
    axes = figure.subplots()
    for streams, pairs in found.items():
        axes.plot([str(streams)] * len(pairs), [pair.socket_rate / pair.bare_rate for pair in pairs], "o")
        axes.plot([str(streams)] * len(pairs), [pair.api_rate / pair.bare_rate for pair in pairs], "x")
    axes.axhline(1.0, linestyle=":", color="grey")
    axes.set_xlabel("streams")
    axes.set_ylabel("tokens/s ÷ bare: o socket, x /v1")
