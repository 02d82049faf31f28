"""vLLM's CPU worker with a fix for its crash on seeded requests; loaded through `worker_cls`.

A prompt longer than the step budget is prefilled in pieces, and the token sampled after each piece but
the last is thrown away. vLLM 0.32 then rewinds the request's own random generator by the four numbers that
CUDA's would have drawn; a CPU generator has no such offset and raises, which ends EngineCore and every
request in it. One seeded request with a long prompt would take the whole engine down.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from vllm.v1.worker import cpu_worker
from vllm.v1.worker.cpu_model_runner import CPUModelRunner


class SeededModelRunner(CPUModelRunner):
    """Keeps the generators of such requests out of the step, so there is nothing to rewind.

    The row draws from the common generator instead. Its token is discarded, so nobody sees that, and the
    request's own generator has drawn exactly as often as the request has tokens, however it was cut.
    """

    _set_aside: dict[int, Any]

    def _sample(self, *arguments: Any, **named: Any) -> Any:
        generators = self.input_batch.generators
        discarded = np.nonzero(self.discard_request_mask.np[: self.input_batch.num_reqs])[0]
        self._set_aside = {int(row): generators.pop(int(row)) for row in discarded if int(row) in generators}
        return super()._sample(*arguments, **named)

    def _bookkeeping_sync(self, *arguments: Any, **named: Any) -> Any:
        result = super()._bookkeeping_sync(*arguments, **named)
        self.input_batch.generators.update(self._set_aside)
        return result


class SeededCPUWorker(cpu_worker.CPUWorker):
    """The CPU worker that uses SeededModelRunner."""

    def init_device(self) -> None:
        # The name from which the base class takes its runner.
        setattr(cpu_worker, "CPUModelRunner", SeededModelRunner)  # noqa: B010
        super().init_device()
