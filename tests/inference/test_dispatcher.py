"""The dispatcher on real asyncio: every request ends exactly once, and the log says what the engine said."""

import asyncio
from contextlib import suppress

import pytest
from msgspec.structs import replace

from inference.dispatch.supervisor import SupervisorSettings
from inference.engines.emulated.timing import Timing
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import QueueFullError
from inference.stream_log.base import Delta, Finished, GapError, Queued, Snapshot, Started
from tests.inference.doubles import Stage
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("virtual_time")


async def test_a_request_runs_to_its_end_and_row_log_and_engine_agree():
    async with Stage() as stage:
        stage.ask("a", tokens=30)
        reader = await stage.end("a")
        row = stage.rows.rows["a"]
        assert reader.text == row.text == stage.transcript["a"]
        assert reader.end.seq == row.seq + 1
        assert (row.status, row.outcome.finish_reason) == ("finished", "length")
        assert row.outcome.usage == reader.end.usage
        assert reader.end.usage.completion_tokens == 30
        assert 0 <= reader.end.usage.queue_s <= reader.end.usage.ttft_s <= reader.end.usage.total_s
        assert Started() in reader.notices
        stage.check_empty()


async def test_many_run_together_and_the_database_writes_in_batches():
    async with Stage() as stage:
        stage.rows.delay_s = 0.02
        for n in range(60):
            stage.ask(f"g{n}", tokens=40, user=f"user {n}")
        for n in range(60):
            assert (await stage.end(f"g{n}")).text == stage.transcript[f"g{n}"]
        assert len(stage.rows.batches) < 20
        stage.check_empty()


async def test_finished_goes_out_only_after_the_row_is_written():
    async with Stage() as stage:
        stage.ask("a", tokens=10)
        await stage.until(lambda: stage.rows.rows["a"].status == "running")
        stage.rows.failing = True
        await stage.until(lambda: stage.scheduler.load().running["quick"] == 0)
        await asyncio.sleep(0.1)
        assert not stage.readers["a"].done()
        assert stage.rows.rows["a"].status == "running"
        stage.rows.failing = False
        assert (await stage.end("a")).text == stage.transcript["a"]
        stage.check_empty()


async def test_streams_go_on_while_the_database_is_away_and_the_claims_wait():
    async with Stage() as stage:
        stage.ask("a", tokens=2000)
        await stage.until(lambda: stage.held_seq("a") > 3)
        stage.rows.failing = True
        stage.ask("b", tokens=5)
        before = stage.held_seq("a")
        await asyncio.sleep(0.15)
        assert stage.held_seq("a") > before + 20
        assert not stage.transcript.get("b")
        stage.rows.failing = False
        assert (await stage.end("b")).text == stage.transcript["b"]


async def test_only_a_claimed_row_runs():
    async with Stage() as stage:
        stage.rows.insert("a")
        stage.rows.rows["a"].status = "cancelled"
        stage.ask("a")
        await stage.until(lambda: not stage.lifecycle.known)
        assert "a" not in stage.transcript
        stage.check_empty()


async def test_what_is_erased_before_it_is_claimed_is_settled_and_forgotten():
    async with Stage() as stage:
        stage.ask("a")
        del stage.rows.rows["a"]
        assert (await stage.end("a")).end.finish_reason == "cancelled"
        assert stage.rows.batches == [1], "its reservation ends with it, not an hour later"
        assert "a" not in stage.transcript
        stage.check_empty()


async def test_running_answers_are_checkpointed():
    async with Stage() as stage:
        stage.ask("a", tokens=1000)
        await stage.until(lambda: stage.rows.rows["a"].checkpoints >= 2)
        row = stage.rows.rows["a"]
        assert stage.transcript["a"].startswith(row.text)
        assert row.seq > 0


async def test_cancel_while_running_frees_the_engine_within_a_step_and_keeps_the_text():
    async with Stage(timing=Timing(step_s=0.02, max_running=4)) as stage:
        stage.ask("a", tokens=1000)
        await stage.until(lambda: stage.held_seq("a") > 3)
        steps = stage.engine.stats().steps
        assert stage.lifecycle.cancel("a")
        await stage.until(lambda: stage.engine.stats().running == 0)
        assert stage.engine.stats().steps - steps <= 1
        reader = await stage.end("a")
        assert reader.end.finish_reason == "cancelled"
        assert reader.text == stage.rows.rows["a"].text != ""
        assert stage.transcript["a"].startswith(reader.text)
        assert not stage.lifecycle.cancel("a")
        stage.check_empty()


async def test_fifty_of_a_hundred_leave_and_their_slots_are_free_within_a_step():
    timing = Timing(step_s=0.05, max_running=100, kv_tokens=1_000_000)
    async with Stage(timing=timing, policy=Policy(user_running=100)) as stage:
        generations = [f"g{number}" for number in range(100)]
        for generation in generations:
            stage.ask(generation, tokens=5_000, user=generation)
        await stage.until(lambda: stage.supervisor.ready and stage.engine.stats().running == 100)
        before = stage.engine.stats().steps
        for generation in generations[:50]:
            assert stage.lifecycle.cancel(generation)
        await stage.until(lambda: stage.engine.stats().steps > before)
        assert stage.engine.stats().running == 50
        await stage.until(lambda: sum(stage.scheduler.load().running.values()) == 50)
        assert stage.engine.stats().steps == before + 1, "the line gave the places on a step later"
        for generation in generations[:50]:
            end = await stage.end(generation)
            assert stage.transcript[generation].startswith(end.text)


async def test_cancel_while_waiting_never_reaches_the_engine():
    async with Stage(timing=Timing(step_s=0.002, max_running=1)) as stage:
        stage.ask("a", tokens=500)
        await stage.until(lambda: stage.held_seq("a") > 0)
        stage.ask("b")
        stage.lifecycle.cancel("b")
        assert (await stage.end("b")).end.finish_reason == "cancelled"
        assert "b" not in stage.transcript
        assert stage.rows.rows["b"].status == "cancelled"


async def test_cancel_while_the_claim_is_under_way():
    async with Stage() as stage:
        stage.rows.delay_s = 0.03
        stage.ask("a")
        await asyncio.sleep(0.015)
        stage.lifecycle.cancel("a")
        assert (await stage.end("a")).end.finish_reason == "cancelled"
        assert "a" not in stage.transcript
        stage.check_empty()


async def test_cancel_of_an_unknown_generation_says_so():
    async with Stage() as stage:
        assert stage.lifecycle.cancel("nobody") is False


async def test_the_same_generation_twice_runs_once():
    async with Stage() as stage:
        request = stage.ask("a")
        stage.lifecycle.enqueue(request)
        await stage.end("a")
        assert stage.rows.rows["a"].ended == 1


async def test_a_request_that_cannot_fit_fails_with_the_reason():
    async with Stage(timing=Timing(step_s=0.002, max_running=4, kv_tokens=1000)) as stage:
        stage.ask("a", prompt_tokens=5000)
        reader = await stage.end("a")
        assert (reader.end.finish_reason, stage.rows.rows["a"].status) == ("error", "failed")
        assert "1000" in reader.end.message


async def test_the_line_learns_the_engines_size_when_it_has_started():
    async with Stage(timing=Timing(step_s=0.002, max_running=4, kv_tokens=1000)) as stage:
        stage.scheduler.set_kv_tokens(2**31)
        await stage.until(lambda: stage.supervisor.ready)
        await asyncio.sleep(0.05)
        stage.ask("a", prompt_tokens=5000)
        assert "1000" in (await stage.end("a")).end.message


async def test_the_engines_refusal_reaches_the_person():
    async with Stage(timing=Timing(step_s=0.002, max_running=4, kv_tokens=1000)) as stage:
        stage.ask("a", content="字" * 3000, prompt_tokens=10)
        reader = await stage.end("a")
        assert (reader.end.finish_reason, stage.rows.rows["a"].status) == ("error", "failed")
        assert "context" in reader.end.message
        stage.check_empty()


async def test_a_full_line_raises_and_the_board_says_when_to_come_back():
    async with Stage(timing=Timing(step_s=0.01, max_running=1), policy=Policy(queue_quick=3)) as stage:
        stage.ask("running", tokens=500)
        await stage.until(lambda: stage.held_seq("running") > 150)
        before = stage.dispatcher.status().retry_after_s
        for n in range(3):
            stage.ask(f"g{n}", user=f"user {n}", tokens=500)
        assert stage.dispatcher.status().retry_after_s > before, "a longer line is served later"
        with pytest.raises(QueueFullError):
            stage.ask("one too many", user="bob")
        assert "one too many" not in stage.lifecycle.known


async def test_the_waiting_hear_their_position_and_hear_it_change():
    async with Stage(timing=Timing(step_s=0.01, max_running=1)) as stage:
        stage.ask("a", tokens=250)
        await stage.until(lambda: stage.held_seq("a") > 0)
        stage.ask("b", tokens=1, user="bob")
        stage.ask("c", tokens=1, user="carol")
        await stage.end("c")
        positions = [
            notice.position for notice in (await stage.end("c")).notices if isinstance(notice, Queued)
        ]
        assert positions[0] == 2
        assert len(positions) <= 3


@pytest.mark.parametrize(
    ("policy", "hangs", "words"),
    [
        (Policy(first_token_timeout_s=0.1), True, "begin to answer"),
        (Policy(stall_timeout_s=0.1), True, "silent"),
        (Policy(total_timeout_s=0.2), False, "longer than allowed"),
    ],
)
async def test_deadlines_end_with_a_reason_and_keep_the_text(policy, hangs, words):
    patient = SupervisorSettings(hung_after_s=60)
    async with Stage(policy=policy, timing=Timing(step_s=0.002, max_running=4), supervision=patient) as stage:
        await stage.until(lambda: stage.supervisor.ready)
        if words == "begin to answer":
            stage.engine.stall()
        stage.ask("a", tokens=10_000)
        if words == "silent":
            await stage.until(lambda: stage.held_seq("a") > 3)
            stage.engine.stall()
        reader = await stage.end("a")
        assert reader.end.finish_reason == "timeout"
        assert words in reader.end.message
        assert stage.rows.rows["a"].status == "timed_out"
        assert reader.text == stage.rows.rows["a"].text
        stage.engine.resume()
        await stage.until(lambda: not stage.lifecycle.in_engine)
        stage.check_empty()


async def test_the_deadline_in_line_ends_with_a_reason():
    policy = Policy(first_token_timeout_s=0.2)
    async with Stage(policy=policy, timing=Timing(step_s=0.002, max_running=1)) as stage:
        stage.ask("a", tokens=1000)
        await stage.until(lambda: stage.held_seq("a") > 0)
        stage.ask("b", user="bob")
        reader = await stage.end("b")
        assert reader.end.finish_reason == "timeout"
        assert "queue" in reader.end.message


async def test_a_reader_ahead_of_what_was_stored_gets_the_next_attempts_text_alone():
    """Its process died before the words that it shows were stored, and the question is asked again."""
    async with Stage() as stage:
        stage.rows.insert("a")
        stage.rows.rows["a"].attempt = 2
        stage.ask("a", tokens=30, attempt=2)
        shown, seq, ended = "Words of the attempt before", 6, False
        async with asyncio.timeout(PATIENCE_S):
            while not ended:
                # Nothing is held at first: a gap, as the page's follower meets it.
                with suppress(GapError):
                    async for batch in stage.log.follow("a", seq):
                        for event in batch:
                            match event:
                                case Snapshot():
                                    shown, seq = event.text, event.seq
                                case Delta():
                                    assert event.seq == seq + 1
                                    shown, seq = shown + event.text, event.seq
                                case Finished():
                                    ended = True
                await asyncio.sleep(0.005)
        assert shown == stage.transcript["a"] == stage.rows.rows["a"].text


async def test_what_the_line_has_no_room_for_is_stopped_and_its_reader_told():
    async with Stage(timing=Timing(step_s=0.002, max_running=1), policy=Policy(queue_user=1)) as stage:
        stage.ask("runs", tokens=5000)
        await stage.until(lambda: stage.held_seq("runs") > 0)
        waits = stage.ask("waits")
        stage.rows.insert("outside")
        outside = replace(waits, generation="outside")
        with pytest.raises(QueueFullError):
            stage.lifecycle.enqueue(outside)
        stage.lifecycle.reject(outside)
        stage.read("outside")
        assert (await stage.end("outside")).end.finish_reason == "cancelled"
        assert stage.rows.rows["outside"].status == "cancelled"
        stage.rows.insert("broken")
        stage.lifecycle.reject(replace(waits, generation="broken"), unreadable=True)
        stage.read("broken")
        assert (await stage.end("broken")).end.message.startswith("This question could not be read")
        assert stage.rows.rows["broken"].status == "failed"
        await stage.until(lambda: stage.lifecycle.known == {"runs", "waits"})
        for generation in ("runs", "waits"):
            stage.lifecycle.cancel(generation)
            await stage.end(generation)
        await stage.until(lambda: not stage.lifecycle.in_engine)
        stage.check_empty()
