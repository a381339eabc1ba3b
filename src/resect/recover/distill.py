"""Distillation: adapters that learn the intact model's token probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from resect.errors import RequestError
from resect.methods.options import Above, Share
from resect.models import devices, loading
from resect.recover.lora import Lora
from resect.recover.trainer import Teacher
from resect.spec import ModelRef


@dataclass(eq=False)
class Distill(Lora):
    """Loss: (1 - hard) T^2 KL(teacher || student) on the completion's tokens + hard x their own
    (Hinton et al. 2015, arXiv:1503.02531). `teacher_id` names another model than the intact one.
    """

    teacher_id: str = ""
    temperature: Above = 2.0
    hard: Share = 0.0

    name = "distill"

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """Hashes of the training data, and of a teacher other than the intact model."""
        named = self._named()
        return (*super().sources(), *((loading.identify(named)[0].fingerprint,) if named else ()))

    def teacher(self, model: PreTrainedModel) -> Teacher:
        """The teacher, loaded beside the student."""
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
        return Teacher(loaded.model, self.temperature, self.hard)

    def _named(self) -> ModelRef | None:
        return ModelRef.of(role="teacher", id=self.teacher_id) if self.teacher_id else None
