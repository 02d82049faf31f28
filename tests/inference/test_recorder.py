"""The recorder writes each change once, under its own epoch, or not at all."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from chatsite.generations.models import Generation, GenerationStatus
from inference.dispatch.store import Answer, Claim, Outcome
from inference.request import Usage
from inference.stream_log.base import FencedError
from inference.worker.owner import next_epoch
from inference.worker.recorder import NOT_STORED, Recorder
from tests.support.people import People, make_user, submit


@pytest.fixture
def job(people: People) -> Generation:
    return Generation.objects.get(id=submit(people.alice).generation)


@pytest.fixture
def recorder(people: People) -> Recorder:
    return Recorder(next_epoch())


def claim(recorder: Recorder, job: Generation, attempt: int = 1) -> set[str]:
    return recorder.do_claim([Claim(str(job.id), attempt)])


def outcome(job: Generation, text: str = "Because.", attempt: int = 1) -> Outcome:
    usage = Usage(prompt_tokens=9, completion_tokens=3)
    return Outcome(str(job.id), attempt, "finished", "stop", text, "", 3, usage)


def reread(job: Generation) -> Generation:
    return Generation.objects.select_related("answer").get(id=job.id)


def test_a_claim_succeeds_once(recorder: Recorder, job: Generation) -> None:
    assert claim(recorder, job) == {str(job.id)}
    assert claim(Recorder(next_epoch()), job) == set()
    assert (reread(job).status, reread(job).attempt) == (GenerationStatus.RUNNING, 1)


def test_a_claim_whose_reply_was_lost_succeeds_again(recorder: Recorder, job: Generation) -> None:
    claim(recorder, job)
    assert claim(recorder, job) == {str(job.id)}


def test_a_checkpoint_moves_text_and_seq_together(recorder: Recorder, job: Generation) -> None:
    claim(recorder, job)
    recorder.do_checkpoint([Answer(str(job.id), 1, "Bec", "hm", 2, 2)])
    row = reread(job)
    assert (row.answer.content, row.answer.reasoning, row.seq, row.completion_tokens) == ("Bec", "hm", 2, 2)


def test_the_end_is_written_once(recorder: Recorder, job: Generation) -> None:
    claim(recorder, job)
    assert recorder.do_finish([outcome(job)]) == {str(job.id)}
    assert recorder.do_finish([outcome(job)]) == {str(job.id)}, "a lost reply is not another end"
    late = outcome(job, "Another text")
    recorder.do_finish([late])
    row = reread(job)
    assert (row.status, row.answer.content, row.usage["completion_tokens"]) == ("finished", "Because.", 3)


def test_nothing_is_written_after_the_end(recorder: Recorder, job: Generation) -> None:
    claim(recorder, job)
    recorder.do_finish([outcome(job)])
    recorder.do_checkpoint([Answer(str(job.id), 1, "late", "", 9, 9)])
    assert reread(job).answer.content == "Because."


def test_an_older_owner_that_wakes_up_cannot_write(recorder: Recorder, job: Generation) -> None:
    claim(recorder, job)
    next_epoch()
    for write in (
        lambda: recorder.do_checkpoint([Answer(str(job.id), 1, "late", "", 9, 9)]),
        lambda: recorder.do_finish([outcome(job)]),
        lambda: claim(recorder, job),
    ):
        with pytest.raises(FencedError, match="another inference process owns"):
            write()
    assert reread(job).answer.content == ""


def test_what_ends_while_it_waits_was_never_running(recorder: Recorder, job: Generation) -> None:
    ended = Outcome(str(job.id), 1, "cancelled", "cancelled", "", "", 0, Usage())
    assert recorder.do_finish([ended]) == {str(job.id)}
    assert claim(recorder, job) == set()
    assert reread(job).status == "cancelled"


@pytest.mark.django_db(transaction=True)
async def test_an_end_that_cannot_be_stored_fails_alone_and_keeps_its_last_checkpoint(caplog, capsys) -> None:
    text = "secret \ud800"

    def asked() -> tuple[Recorder, list[Generation]]:
        alice = make_user("alice")
        return Recorder(next_epoch()), [Generation.objects.get(id=submit(alice).generation) for _ in range(3)]

    recorder, jobs = await sync_to_async(asked)()
    await recorder.claim([Claim(str(job.id), 1) for job in jobs])
    before, bad, after = jobs
    await recorder.checkpoint([Answer(str(job.id), 1, "Bec", "", 1, 1) for job in jobs])
    await recorder.checkpoint(
        [Answer(str(job.id), 1, text if job is bad else "Becau", "", 2, 2) for job in jobs]
    )
    for job, kept in ((before, "Becau"), (bad, "Bec"), (after, "Becau")):
        assert (await sync_to_async(reread)(job)).answer.content == kept
    held = await recorder.finish([outcome(job, text if job is bad else "Because.") for job in jobs])
    assert {id: end.status for id, end in held.items()} == {
        str(before.id): "finished", str(bad.id): "failed", str(after.id): "finished"
    }  # fmt: skip
    assert held[str(bad.id)].message == NOT_STORED
    row = await sync_to_async(reread)(bad)
    assert (row.status, row.message, row.answer.content) == ("failed", NOT_STORED, "Bec")
    assert (await sync_to_async(reread)(after)).answer.content == "Because."
    assert "secret" not in caplog.text + "".join(capsys.readouterr())
