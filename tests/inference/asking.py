"""Requests for tests of the scheduler, by the few facts that matter to it."""

from inference.request import Request, Sampling
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler


def ask(
    generation,
    user="alice",
    kind="normal",
    *,
    prompt_tokens=None,
    max_tokens=100,
    weight=1.0,
    max_running=None,
    waited_s=0.0,
    messages=(),
    conversation=None,
    batch=False,
):
    """A request that the default policy puts into the class `kind`."""
    chars, tokens = {"quick": (20, 50), "normal": (300, 400), "heavy": (9_000, 3_000)}[kind]
    return Request(
        generation=generation,
        attempt=1,
        user=user,
        conversation=conversation or generation,
        messages=messages,
        sampling=Sampling(),
        prompt_tokens=tokens if prompt_tokens is None else prompt_tokens,
        max_tokens=max_tokens,
        new_chars=chars,
        batch=batch,
        weight=weight,
        max_running=max_running,
        waited_s=waited_s,
    )


def start_all(scheduler, now):
    """Pick until nobody may start, each prefilled at once; the generations in order."""
    started = []
    while (request := scheduler.schedule_next(now)) is not None:
        scheduler.prefilled(request.generation, request.prompt_tokens, 0)
        started.append(request.generation)
    return started


def answer(scheduler, generation, now, tokens=50):
    """The engine answers a running request whole."""
    scheduler.produced(generation, tokens, now)
    scheduler.finish(generation, now)


def small_scheduler(slots=1, reserved=0, kv_tokens=1_000_000, **settings):
    """A scheduler with few slots, whose caps and slacks are out of the way unless they are the point."""
    settings = {
        "user_running": 100,
        "beyond_cap_share": 1.0,
        "quick_slack": 0.0,
        "normal_slack": 0.0,
        **settings,
    }
    return Scheduler(Policy(max_running=slots, reserved_slots=reserved, **settings), kv_tokens)


def served(scheduler, now=0.0):
    """Serve the whole queue one by one: the order in which requests start."""
    order = []
    while started := start_all(scheduler, now):
        order += started
        for generation in started:
            answer(scheduler, generation, now, tokens=1)
    return order
