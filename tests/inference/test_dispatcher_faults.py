"""The dispatcher when things break: engines die, logs forget, owners are fenced, databases are away."""

import asyncio
import random

import pytest
from msgspec.structs import replace

from inference.dispatch import dispatcher
from inference.dispatch.active_generation import ActiveGeneration, Ending
from inference.dispatch.gate import SHORTEST_REFUSAL_S
from inference.dispatch.publisher import GIVE_UP_S, Publisher
from inference.engines.base import EngineDiedError, Output
from inference.engines.emulated.timing import Timing
from inference.scheduling.circuit_breaker import CircuitBreaker
from inference.scheduling.policy import Policy
from inference.stream_log.base import FencedError, Finished
from inference.stream_log.memory import MemoryStreamLog
from tests.inference.asking import ask
from tests.inference.doubles import Stage
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("virtual_time")


@pytest.mark.parametrize("fault", ["die", "stall"])
async def test_a_lost_engine_interrupts_the_begun_and_serves_the_waiting_after_the_restart(fault):
    async with Stage(timing=Timing(step_s=0.005, max_running=3)) as stage:
        for n in range(3):
            stage.ask(f"begun {n}", tokens=5000, user=f"user {n}")
        await stage.until(lambda: all(stage.held_seq(f"begun {n}") > 3 for n in range(3)))
        for n in range(3):
            stage.ask(f"waiting {n}", tokens=10, user=f"user {n}")
        getattr(stage.engine, fault)()
        for n in range(3):
            reader = await stage.end(f"begun {n}")
            assert reader.end.finish_reason == "interrupted"
            assert reader.text == stage.rows.rows[f"begun {n}"].text != ""
            assert stage.transcript[f"begun {n}"].startswith(reader.text)
        for n in range(3):
            reader = await stage.end(f"waiting {n}")
            assert reader.text == stage.transcript[f"waiting {n}"]
            assert reader.end.finish_reason == "length"
        assert stage.supervisor.restarts == 1
        stage.check_empty()


async def test_what_had_not_begun_is_put_back_in_line_once_then_fails():
    timing = Timing(step_s=0.005, first_token_s=5, max_running=3)
    async with Stage(timing=timing) as stage:
        stage.ask("a", tokens=10)
        for _ in range(2):
            await stage.until(lambda: "a" in stage.lifecycle.in_engine)
            engine = stage.engine
            engine.die()
            await stage.until(lambda lost=engine: stage.engine is not lost or not stage.lifecycle.known)
        reader = await stage.end("a")
        assert (reader.end.finish_reason, stage.rows.rows["a"].status) == ("error", "failed")
        assert "twice" in reader.end.message
        stage.check_empty()


async def test_an_engine_that_does_not_start_is_tried_again_and_the_board_says_why():
    async with Stage() as stage:
        stage.starts_fail = True
        stage.ask("a")
        await stage.until(lambda: stage.dispatcher.status().state == "failed")
        assert "no such card" in stage.dispatcher.status().detail
        stage.starts_fail = False
        assert (await stage.end("a")).end.finish_reason == "length"
        assert stage.dispatcher.status().state == "ready"


async def test_the_breaker_refuses_after_failures_then_lets_one_probe_through():
    timing = Timing(step_s=0.005, first_token_s=0.1, max_running=8)
    async with Stage(timing=timing, breaker=CircuitBreaker(failures=2, open_s=0.4)) as stage:
        for n in range(2):
            await stage.until(lambda n=n: len(stage.engines) == n + 1 and stage.supervisor.ready)
            stage.engine.die()
            await stage.until(lambda: not stage.supervisor.ready)
        await stage.until(lambda: stage.supervisor.ready)
        status = stage.dispatcher.status()
        assert status.state == "failed"
        assert status.refused_for_s == SHORTEST_REFUSAL_S, "the breaker would open sooner, no engine does"
        stage.ask("cancelled probe")
        await stage.until(lambda: stage.lifecycle.in_engine)
        stage.lifecycle.cancel("cancelled probe")
        for n in range(4):
            stage.ask(f"g{n}", tokens=2, user=f"user {n}")
        await stage.until(lambda: "cancelled probe" not in stage.lifecycle.in_engine)
        await stage.until(lambda: stage.lifecycle.in_engine)
        await asyncio.sleep(0.05)
        assert len(stage.lifecycle.in_engine) == 1
        for n in range(4):
            assert (await stage.end(f"g{n}")).end.finish_reason == "length"
        assert stage.dispatcher.status().state == "ready"
        assert stage.dispatcher.status().refused_for_s is None


async def test_newcomers_are_refused_for_as_long_as_no_engine_starts():
    """Also when the breaker would let a probe through: there is nothing to probe."""
    async with Stage(breaker=CircuitBreaker(failures=1, open_s=0.05)) as stage:
        await stage.until(lambda: stage.supervisor.ready)
        assert stage.dispatcher.status().refused_for_s is None
        stage.starts_fail = True
        stage.ask("waits")
        stage.engine.die()
        await stage.until(lambda: stage.supervisor.state == "failed")
        await asyncio.sleep(0.1)
        assert stage.breaker.state(stage.clock()) == "half_open"
        assert stage.dispatcher.status().refused_for_s == SHORTEST_REFUSAL_S
        stage.starts_fail = False
        assert (await stage.end("waits")).end.finish_reason in ("length", "interrupted")
        assert stage.dispatcher.status().refused_for_s is None


async def test_pause_holds_the_line_and_resume_serves_it():
    async with Stage() as stage:
        await stage.until(lambda: stage.supervisor.ready)
        stage.dispatcher.pause()
        stage.ask("a")
        await asyncio.sleep(0.05)
        status = stage.dispatcher.status()
        assert (status.state, status.waiting["quick"]) == ("paused", 1)
        stage.dispatcher.resume()
        assert (await stage.end("a")).end.finish_reason == "length"


async def test_a_pause_for_maintenance_ends_what_runs_and_says_what_it_is():
    async with Stage(timing=Timing(step_s=0.005)) as stage:
        stage.ask("runs", tokens=60)
        await stage.until(lambda: stage.held_seq("runs") > 0)
        stage.dispatcher.pause("draining")
        stage.ask("waits")
        assert (await stage.end("runs")).end.finish_reason == "length"
        status = stage.dispatcher.status()
        assert (status.state, status.waiting["quick"], sum(status.running.values())) == ("draining", 1, 0)
        stage.dispatcher.resume()
        assert (await stage.end("waits")).end.finish_reason == "length"
        assert stage.dispatcher.status().state == "ready"


async def test_drain_lets_the_short_end_interrupts_the_long_and_leaves_the_waiting_queued():
    async with Stage(timing=Timing(step_s=0.005, max_running=2), policy=Policy(reserved_slots=0)) as stage:
        stage.ask("short", tokens=20, user="u1")
        stage.ask("long", tokens=10_000, user="u2")
        await stage.until(lambda: stage.held_seq("short") > 0 and stage.held_seq("long") > 0)
        stage.ask("waiting", user="u3")
        await asyncio.wait_for(stage.dispatcher.drain(0.3), PATIENCE_S)
        await asyncio.wait_for(stage.task, PATIENCE_S)
        assert (await stage.end("short")).end.finish_reason == "length"
        long = await stage.end("long")
        assert long.end.finish_reason == "interrupted"
        assert long.text == stage.rows.rows["long"].text != ""
        assert stage.rows.rows["waiting"].status == "queued"
        assert stage.dispatcher.status().state == "draining"


@pytest.mark.parametrize("away", ["database", "log"])
async def test_a_drain_does_not_wait_for_what_is_away(monkeypatch, away):
    monkeypatch.setattr(dispatcher, "FLUSH_S", 0.1)
    log = LosingLog()
    async with Stage(log=log) as stage:
        stage.ask("a", tokens=10_000)
        await stage.until(lambda: stage.held_seq("a") > 0)
        stage.rows.failing, log.away = away == "database", away == "log"
        await asyncio.wait_for(stage.dispatcher.drain(0.01), PATIENCE_S)
        await asyncio.wait_for(stage.task, PATIENCE_S)


async def test_a_fenced_owner_stops_writing_and_running():
    async with Stage() as stage:
        stage.ask("a", tokens=10_000)
        await stage.until(lambda: stage.held_seq("a") > 3)
        await stage.log.append([], epoch=2)
        with pytest.raises(FencedError):
            await asyncio.wait_for(stage.task, PATIENCE_S)
        with pytest.raises(EngineDiedError):
            await stage.engine.count_tokens(())
        assert stage.rows.rows["a"].status == "running"


class LosingLog(MemoryStreamLog):
    """A log whose server forgets everything now and then, or cannot be reached for a while."""

    def __init__(self):
        super().__init__()
        self.away = False

    def forget(self):
        for stream in self._streams.values():
            if not stream.finished:
                stream.events.clear()

    async def append(self, events, *, epoch):
        if self.away:
            return list(dict.fromkeys(generation for generation, _ in events))
        return await super().append(events, epoch=epoch)


async def test_a_lost_log_is_seeded_again_from_memory():
    log = LosingLog()
    async with Stage(log=log) as stage:
        stage.ask("a", tokens=150)
        for _ in range(3):
            seq = stage.held_seq("a")
            await stage.until(lambda seq=seq: stage.held_seq("a") > seq + 10)
            log.forget()
        reader = await stage.end("a")
        assert reader.text == stage.transcript["a"]
        assert isinstance(reader.end, Finished)
        stage.check_empty()


async def test_ends_reach_readers_after_the_log_was_away():
    log = LosingLog()
    async with Stage(log=log) as stage:
        stage.ask("a", tokens=60)
        await stage.until(lambda: stage.held_seq("a") > 10)
        log.away = True
        await stage.until(lambda: stage.rows.rows["a"].status == "finished")
        log.away = False
        assert (await stage.end("a")).text == stage.transcript["a"]
        await stage.until(lambda: not stage.lifecycle.unpublished)
        stage.check_empty()


@pytest.mark.parametrize("seed", range(40))
async def test_chaos_ends_every_request_exactly_once(seed, monkeypatch):
    monkeypatch.setattr("inference.backoff.LONGEST_S", 0.2)
    rng = random.Random(seed)
    log = LosingLog()
    timing = Timing(step_s=0.002, max_running=6, prefill_tokens_per_s=20_000, step_budget=256)
    async with Stage(timing=timing, log=log, seed=seed) as stage:
        await stage.until(lambda: stage.supervisor.ready)
        stage.rows.flaky = 0.2
        asked = []
        for n in range(60):
            asked.append(f"g{n}")
            stage.ask(
                asked[-1], tokens=rng.randint(1, 60), user=f"user {n % 7}", prompt_tokens=rng.randint(1, 500)
            )
            for _ in range(rng.randint(0, 2)):
                await asyncio.sleep(rng.random() * 0.01)
            fate = rng.random()
            if fate < 0.2:
                stage.lifecycle.cancel(rng.choice(asked))
            elif fate < 0.26:
                rng.choice([stage.engine.die, stage.engine.stall])()
            elif fate < 0.32:
                log.forget()
            elif fate < 0.36:
                log.away = not log.away
            elif fate < 0.40:
                stage.rows.failing = not stage.rows.failing
        log.away = stage.rows.failing = False
        stage.rows.flaky = 0.0
        for generation in asked:
            reader = await stage.end(generation)
            row = stage.rows.rows[generation]
            assert row.ended == 1
            assert reader.text == row.text
            assert stage.transcript.get(generation, "").startswith(row.text)
            if row.status == "finished":
                assert row.text == stage.transcript[generation]
        await stage.until(lambda: not stage.lifecycle.in_engine and not stage.lifecycle.unpublished)
        stage.check_empty()


async def test_a_request_that_cannot_be_handed_over_fails_alone(monkeypatch):
    async with Stage(timing=Timing(step_s=0.005)) as stage:
        stage.ask("other", tokens=40)
        await stage.until(lambda: stage.held_seq("other") > 3)
        add = stage.engine.add

        async def picky(request):
            if request.id == "bad":
                raise OverflowError("can't serialize it")
            await add(request)

        monkeypatch.setattr(stage.engine, "add", picky)
        stage.ask("bad")
        stage.ask("next", tokens=5)
        bad = await stage.end("bad")
        assert (bad.end.finish_reason, stage.rows.rows["bad"].status) == ("error", "failed")
        assert "serialize" in bad.end.message
        for name in ("other", "next"):
            assert (await stage.end(name)).end.finish_reason == "length"
        assert stage.supervisor.restarts == 0
        stage.check_empty()


async def test_nothing_is_scheduled_while_a_dead_engine_is_being_closed(monkeypatch):
    async with Stage(timing=Timing(step_s=0.005)) as stage:
        stage.ask("first", tokens=5000)
        await stage.until(lambda: stage.held_seq("first") > 3)
        engine, calls = stage.engine, []
        close, schedule = engine.close, stage.scheduler.schedule_next

        async def slowly():
            await asyncio.sleep(0.5)
            await close()

        monkeypatch.setattr(engine, "close", slowly)
        monkeypatch.setattr(stage.scheduler, "schedule_next", lambda now: calls.append(now) or schedule(now))
        engine.die()
        await stage.until(lambda: not stage.supervisor.ready)
        calls.clear()
        stage.ask("meanwhile", tokens=5, user="bob")
        await asyncio.sleep(0.3)
        assert not calls
        assert (await stage.end("meanwhile")).end.finish_reason == "length"
        assert (await stage.end("first")).end.finish_reason == "interrupted"
        stage.check_empty()


async def test_what_was_erased_while_it_ran_leaves_nothing_behind():
    async with Stage(timing=Timing(step_s=0.005)) as stage:
        stage.ask("erased", tokens=5000)
        await stage.until(lambda: stage.held_seq("erased") > 3)
        del stage.rows.rows["erased"]
        stage.lifecycle.cancel("erased")
        await stage.until(lambda: not stage.lifecycle.known and not stage.lifecycle.in_engine)
        await stage.until(lambda: not stage.lifecycle.unpublished)
        assert isinstance((await stage.log.read("erased", 0))[-1], Finished), "so the log forgets it too"
        stage.check_empty()


async def test_a_log_that_is_away_for_longer_than_anybody_waits_does_not_end_the_publisher():
    now, active = [0.0], ActiveGeneration(ask("g"), "heavy", 0.0)

    class Away(MemoryStreamLog):
        async def append(self, events, *, epoch):
            return list(dict.fromkeys(generation for generation, _ in events))

    publisher = Publisher(Away(), 1, lambda: now[0])
    running = asyncio.create_task(publisher.run())
    publisher.put(active, active.take(Output("g", "a", new_tokens=1), 0.0))
    await asyncio.sleep(0.2)
    now[0] = GIVE_UP_S + 1
    active.end(Ending("finished", "stop"), "", now[0])
    publisher.put(active, active.finish())
    await asyncio.wait_for(publisher.flushed(), PATIENCE_S)
    assert not publisher.unfinished
    assert not running.done()
    running.cancel()


async def test_a_later_count_of_the_prompt_is_the_one_that_is_charged_and_a_dropped_answer_keeps_its_text(
    monkeypatch,
):
    async with Stage(timing=Timing(step_s=0.005, max_running=2)) as stage:
        told = []
        monkeypatch.setattr(stage.scheduler, "report_cached", lambda id, tokens: told.append((id, tokens)))
        stage.ask("a", tokens=5000)
        await stage.until(lambda: stage.held_seq("a") > 3)
        told.clear()
        last = Output("a", prompt_tokens=33, cached_tokens=8, finish_reason="cancelled")
        stage.lifecycle.advance(last, 0.0)
        reader = await stage.end("a")
        assert told == [("a", 8)]
        assert (reader.end.usage.prompt_tokens, reader.end.finish_reason) == (33, "interrupted")
        assert reader.end.message.startswith("The engine dropped this answer.")
        assert reader.text


async def test_readers_are_told_the_end_that_the_row_could_hold(monkeypatch):
    async with Stage() as stage:
        finish = stage.rows.finish

        async def refused(outcomes):
            return await finish([replace(one, status="failed", finish_reason="error") for one in outcomes])

        monkeypatch.setattr(stage.rows, "finish", refused)
        stage.ask("a", tokens=5)
        assert (await stage.end("a")).end.finish_reason == "error"
        assert stage.rows.rows["a"].status == "failed"
        stage.check_empty()
