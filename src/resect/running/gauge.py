"""What a sweep's states cost: size always, memory and speed as the study asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from transformers import PreTrainedModel

from resect.deploy.deployed import Deployed, deployed
from resect.errors import RunError
from resect.models import weight_digest
from resect.record import Measurement
from resect.running.measure import sizes as measure
from resect.running.measure import workload
from resect.running.standing import Standing
from resect.spec import BASELINE, Measure


class Gauge:
    """Measures the states of one sweep: size always, memory and speed as the study asks.

    States with the shape of the intact model are as large and as fast, so they are measured once.
    """

    def __init__(
        self, asked: Measure, intact: PreTrainedModel, notice: Callable[[str], None]
    ) -> None:
        self.asked = asked
        self.intact = measure.shape(intact)
        self.notice = notice
        self.done: set[str] = set()

    def read(self, state: str, standing: Standing) -> Measurement:
        """One state. The level is what the swept step reports, or the only step; intact it is 0."""
        swept, intact = standing.swept, standing.place.recipe == BASELINE.name
        if swept is None and len(standing.reports) == 1:
            swept = standing.reports[0]
        level = 0.0 if intact else swept.measured if swept else None
        file = deployed(standing.model)
        if file is not None:
            return self._of_file(state, file, level, standing)
        size, shape = measure.size(standing.model), measure.shape(standing.model)
        changed = bool(standing.reports)
        work = self._workload(shape, changed, lambda: workload.measured(standing.model))
        return Measurement(
            state=state,
            measured_level=level,
            **size._asdict(),
            peak_memory=work["peak_memory"] if work else None,
            tokens_per_second=work["tokens_per_second"]["median"] if work else None,
            shape=shape,
            workload=work,
            steps=tuple(asdict(report) for report in standing.reports),
            digest=weight_digest.of_model(standing.model),
        )

    def _of_file(
        self, state: str, served: Deployed, level: float | None, standing: Standing
    ) -> Measurement:
        """A file as it lies there, and its server's memory and speed."""
        from resect.deploy import gguf_file, served_workload

        file = gguf_file.read(served.path)
        words = standing.model.config.get_text_config().vocab_size
        work = self._workload(file.shape, False, lambda: served_workload.measured(served, words))
        return Measurement(
            state=state,
            measured_level=level,
            parameters=file.parameters,
            zeros=None,
            targeted=file.targeted,
            bytes_in_memory=file.tensor_bytes,
            bits_per_weight=file.bits_per_weight,
            bytes_on_disk=file.bytes_on_disk,
            peak_memory=work["peak_memory"] if work else None,
            tokens_per_second=work["tokens_per_second"]["median"] if work else None,
            shape=file.shape,
            workload=work,
            parts=file.parts,
            steps=tuple(asdict(report) for report in standing.reports),
            digest=weight_digest.of_files(served.path),
        )

    def _workload(
        self, shape: str, changed: bool, run: Callable[[], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """What `run` measures, None where the study asks for no more or a like shape was."""
        like_intact = shape == self.intact and changed
        if self.asked == "sizes" or (
            self.asked == "shapes" and (shape in self.done or like_intact)
        ):
            return None
        self.done.add(shape)
        try:
            return run()
        except RunError as error:  # the answers stand; only these numbers are missing
            self.notice(str(error))
            return None
