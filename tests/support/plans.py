"""Plans and ends of generations, for tests about budgets."""

from __future__ import annotations

from django.contrib.auth.models import Group

from chatsite.accounts.models import User
from chatsite.generations.models import Generation
from chatsite.generations.submit import Submitted
from chatsite.quotas.models import Plan, PlanAssignment
from inference.dispatch.store import Claim, Outcome, Status
from inference.request import Usage
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder


def assign(
    plan: str = "Team", user: User | None = None, group: Group | None = None, **limits: object
) -> Plan:
    made = Plan.objects.create(name=plan, **limits)
    PlanAssignment.objects.create(plan=made, user=user, group=group)
    return made


def end(
    done: Submitted, status: Status = "finished", completion_tokens: int = 3, *, started: bool = True
) -> Generation:
    """End a generation as the inference process does. Started ones used their prompt."""
    recorder = Recorder(next_epoch(), lambda: "model-x")
    job = Generation.objects.get(id=done.generation)
    if started:
        recorder.do_claim([Claim(str(job.id), job.attempt + 1)])
    usage = Usage(prompt_tokens=job.prompt_tokens if started else 0, completion_tokens=completion_tokens)
    reason = {"finished": "stop", "timed_out": "timeout", "failed": "error"}.get(status, status)
    recorder.do_finish([Outcome(str(job.id), job.attempt + 1, status, reason, "text", "", 3, usage)])  # type: ignore[arg-type]
    job.refresh_from_db()
    return job
