"""One training run by transformers' Trainer: completion only, resumable, stopped early."""

from __future__ import annotations

import contextlib
import math
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax
from torch.utils.data import Dataset
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from resect.errors import RunError
from resect.methods.options import Above, Count, Seed, Share, Size, Whole
from resect.recover.training_data import Row, collate

_NO_ROOM = (
    "training does not fit into memory: lower batch_size= (raise accumulation= for it) or "
    "max_length=, or set checkpointing=true."
)
_WHOLE = "whole"  # marks a saved state that was written to its end


@dataclass(eq=False)
class Recipe:
    """How it is trained. `batch_size` x `accumulation` rows make a step; `steps` 0: by `epochs`.

    `evaluations`: how often the held-out rows are asked (and the state is saved); `patience`: of
    these without a better loss before it ends early, 0 for never.
    """

    lr: Above = 2e-4
    epochs: Size = 1.0
    steps: Count = 0
    batch_size: Whole = 8
    accumulation: Whole = 1
    warmup: Share = 0.05
    weight_decay: Size = 0.0
    evaluations: Whole = 8
    patience: Count = 3
    checkpointing: bool = False
    seed: Seed = 0


class Progress(NamedTuple):
    """Where a run stands: steps done of how many, and the last loss (None before the first)."""

    done: int
    total: int
    loss: float | None


class Trained(NamedTuple):
    """How a run ended: steps, losses of the last training step and of the best held-out rows."""

    steps: int
    loss: float | None
    held_out: float | None
    stopped_early: bool


class Teacher(NamedTuple):
    """The model to learn from: KL at `temperature`, and `hard` of the loss of the completion."""

    model: PreTrainedModel
    temperature: float
    hard: float


def train(
    model: Any,
    rows: list[Row],
    held_out: list[Row],
    recipe: Recipe,
    folder: Path,
    *,
    pad: int,
    dtype: torch.dtype,
    teacher: Teacher | None = None,
    after_step: Callable[[], None] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Trained:
    """Train in place; states are kept in `folder` and gone on from where there is one.

    `dtype` is that of the products on a GPU, whatever the weights are held in. `after_step` is
    called after every update. The model's config comes back as it was. A run that was killed and
    taken up again ends with the same weights. Raises `RunError` where memory ends or the loss is
    not a number.
    """
    a_step = recipe.batch_size * recipe.accumulation
    steps = recipe.steps or max(1, math.ceil(len(rows) * recipe.epochs / a_step))
    watched = bool(held_out)
    watch = _Watch(after_step, progress)
    callbacks: list[Any] = [watch]
    if watched and recipe.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=recipe.patience))
    try:
        with _quiet(), _as_it_was(model, recipe):
            trainer = _Distilling(
                teacher,
                model=model,
                args=_arguments(model, dtype, recipe, folder, steps, watched),
                train_dataset=_Rows(rows),
                eval_dataset=_Rows(held_out) if watched else None,
                data_collator=lambda batch: collate(batch, pad),
                callbacks=callbacks,
            )
            trainer.remove_callback(PrinterCallback)  # stdout belongs to the result
            own = trainer.model_accepts_loss_kwargs
            trainer.model_accepts_loss_kwargs = teacher is None and own
            trainer.train(resume_from_checkpoint=_last(folder))
    except torch.OutOfMemoryError:
        raise RunError(_NO_ROOM) from None
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise RunError(_NO_ROOM) from None
    loss = watch.loss
    if loss is not None and not math.isfinite(loss):
        raise RunError("the training loss is not a number: lower lr=, the result was not kept.")
    done = trainer.state.global_step
    return Trained(done, loss, trainer.state.best_metric, done < steps)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings: of option names of newer versions, mostly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _as_it_was(model: Any, recipe: Recipe) -> Iterator[None]:
    """Trainer switches the cache of keys and values off for good: afterwards it is as before."""
    config, before = model.config, vars(model.config).get("use_cache")
    try:
        yield
    finally:
        if recipe.checkpointing:
            model.gradient_checkpointing_disable()
            model.disable_input_require_grads()
        if before is None:
            vars(config).pop("use_cache", None)
        else:
            config.use_cache = before


class _OnePlace(TrainingArguments):
    """Trainer moves a model to the first CUDA device, and copies it to all where there are
    several: n times the batch, and masks of zeros that know one copy. This one stays at `place`.
    """

    place: torch.device | None = None

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.place or super().device

    @property
    def n_gpu(self) -> int:
        """At most one."""
        return min(1, super().n_gpu)

    def stay(self, place: torch.device) -> None:
        """Keep to `place`, and accelerate with it."""
        self.place = self.distributed_state.device = place
        if place.type == "cuda":
            torch.cuda.set_device(place)  # the first one was made the current one


def _arguments(
    model: Any, dtype: torch.dtype, recipe: Recipe, folder: Path, steps: int, watched: bool
) -> TrainingArguments:
    """The recipe in Trainer's words."""
    every = max(1, math.ceil(steps / recipe.evaluations))
    asked = _OnePlace(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        gradient_checkpointing=recipe.checkpointing,
        learning_rate=recipe.lr,
        weight_decay=recipe.weight_decay,
        warmup_steps=math.ceil(recipe.warmup * steps),
        lr_scheduler_type="linear",
        bf16=model.device.type == "cuda" and dtype == torch.bfloat16,
        fp16=model.device.type == "cuda" and dtype == torch.float16,
        use_cpu=model.device.type == "cpu",
        eval_strategy="steps" if watched else "no",
        eval_steps=every,
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=watched,
        logging_steps=max(1, every // 4),
        report_to=[],
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=model.device.type == "cuda",
        remove_unused_columns=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        label_names=["labels"],
    )
    asked.stay(model.device)
    return asked


def _last(folder: Path) -> str | None:
    """The last state in a folder that was written to its end; broken ones are taken away."""
    found = []
    for place in folder.glob("checkpoint-*"):
        if (place / _WHOLE).is_file():
            found.append(place)
        else:
            shutil.rmtree(place)
    return str(max(found, key=lambda p: int(p.name.rpartition("-")[2]))) if found else None


class _Rows(Dataset[Row]):
    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Row:
        return self.rows[number]


class _Watch(TrainerCallback):
    """Calls back after every step, tells progress, and marks saved states as whole."""

    def __init__(
        self, after_step: Callable[[], None] | None, progress: Callable[[Progress], None]
    ) -> None:
        self.after_step, self.progress = after_step, progress
        self.loss: float | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.after_step is not None:
            self.after_step()
        self.progress(Progress(state.global_step, state.max_steps, self.loss))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.loss = (logs or {}).get("loss", self.loss)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        place = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if place.is_dir():
            (place / _WHOLE).touch()


class _Distilling(Trainer):
    """Trainer whose loss is the teacher's KL on the completion's tokens, where there is a teacher.

    T^2 KL(teacher || student) at temperature T (Hinton et al. 2015, arXiv:1503.02531).
    """

    def __init__(self, teacher: Teacher | None, **how: Any) -> None:
        super().__init__(**how)
        self.teacher = teacher

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of a batch."""
        if self.teacher is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        out = model(**inputs)
        plain = {k: v for k, v in inputs.items() if k != "labels"}
        with torch.no_grad():
            theirs = self.teacher.model(**plain).logits
        soft = distance(out.logits, theirs, inputs["labels"], self.teacher.temperature)
        loss = (1 - self.teacher.hard) * soft + self.teacher.hard * out.loss
        return (loss, out) if return_outputs else loss


def distance(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean T^2 KL(teacher || student) over the tokens to learn.

    Logits (B, T, V) are of the next token, labels (B, T) of this one; -100 does not count.
    """
    wanted = labels[:, 1:] != -100
    ours = log_softmax(student[:, :-1][wanted].float() / temperature, -1)
    theirs = log_softmax(teacher[:, :-1][wanted].float() / temperature, -1)
    return temperature**2 * kl_div(ours, theirs, reduction="batchmean", log_target=True)
