"""Distillation: adapters that learn the intact model's token probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from resect.errors import RequestError
from resect.methods.options import Above, Count, Share
from resect.models import devices, loading
from resect.models.scratch import Scratch
from resect.recover.lora import Lora
from resect.recover.teacher import Beside, Remembered, Teacher, remember
from resect.spec import ModelRef


@dataclass(eq=False)
class Distill(Lora):
    """Loss: (1 - hard) T^2 KL(teacher || student) on the completion's tokens + hard x their own
    (Hinton et al. 2015, arXiv:1503.02531). `teacher_id` names another model than the intact one.
    `top`: how many of the teacher's likeliest tokens are computed once, before training, and read
    from disk, so that it is not in memory with the student; 0 runs it beside, on all tokens.
    """

    teacher_id: str = ""
    temperature: Above = 2.0
    hard: Share = 0.0
    top: Count = 0

    name = "distill"

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """Hashes of the training data, and of a teacher other than the intact model."""
        named = self._named()
        return (*super().sources(), *((loading.identify(named)[0].fingerprint,) if named else ()))

    def teacher(self, model: PreTrainedModel) -> Teacher:
        """The teacher, loaded beside the student, or what is remembered of it."""
        source = self._named() or self.context_.source
        assert source is not None, "distillation needs a teacher"
        loaded = loading.load(source, devices.of(model), self.context_.notice)
        teacher_size, student_size = (
            m.config.get_text_config().vocab_size for m in (loaded.model, model)
        )
        if teacher_size != student_size:
            raise RequestError(
                f"the vocabulary of the teacher {source.id} has {teacher_size} tokens, the model's "
                f"{student_size}: give a teacher with the model's vocabulary."
            )
        if not self.top:
            return Beside(loaded.model, self.temperature, self.hard)
        self.scratch_ = Scratch("teacher")  # held as long as this step
        folder = (self.folder or self.scratch_.path) / "teacher"
        rows = [*self.rows_, *self.held_]
        remember(loaded.model, rows, self.top, self.temperature, self.pad_, folder)
        return Remembered(folder, self.temperature, self.hard)

    def _named(self) -> ModelRef | None:
        return ModelRef.of(role="teacher", id=self.teacher_id) if self.teacher_id else None
