"""One training run with transformers' Trainer: completion only, resumable, early stopping."""

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
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from resect.errors import RunError
from resect.methods.options import Above, Count, Seed, Share, Size, Whole
from resect.recover import losses
from resect.recover.teacher import Teacher
from resect.recover.training_data import Row, collate

_NO_ROOM = (
    "training does not fit into memory: lower batch_size= (and raise accumulation=), lower "
    "max_length=, or set checkpointing=true."
)
_WHOLE = "whole"  # marks a saved state that was written completely


@dataclass(eq=False)
class Recipe:
    """Training options. `batch_size` x `accumulation` rows are one step; `steps` 0: by `epochs`.

    `evaluations`: how often the held-out loss is computed (and the state saved); `patience`: after
    how many of these without a better loss training stops, 0 for never.
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
    """Progress of a run: steps done, steps in all, and the last loss (None before the first)."""

    done: int
    total: int
    loss: float | None


class Trained(NamedTuple):
    """How a run ended: steps, last training loss, best held-out loss."""

    steps: int
    loss: float | None
    held_out: float | None
    stopped_early: bool


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
    """Train in place; states are saved in `folder`, and training continues from the last one.

    `dtype` is the type of computation on a GPU, whatever the weights' own. `after_step` is called
    after every update. The model's config is restored. A killed run that continues ends with the
    same weights. Raises `RunError` where memory runs out or the loss is not a number.
    """
    a_step = recipe.batch_size * recipe.accumulation
    steps = recipe.steps or max(1, math.ceil(len(rows) * recipe.epochs / a_step))
    watched = bool(held_out)
    watcher = _Watch(after_step, progress)
    callbacks: list[Any] = [watcher]
    if watched and recipe.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=recipe.patience))
    try:
        # the warnings are mostly about renamed options
        with warnings.catch_warnings(action="ignore"), _restored_config(model, recipe):
            trainer = _Learning(
                teacher,
                model=model,
                args=_arguments(model, dtype, recipe, folder, steps, watched),
                train_dataset=rows,
                eval_dataset=held_out or None,
                data_collator=lambda batch: collate(batch, pad),
                callbacks=callbacks,
            )
            trainer.remove_callback(PrinterCallback)  # stdout is for the result
            accepts_loss_arguments = trainer.model_accepts_loss_kwargs
            trainer.model_accepts_loss_kwargs = teacher is None and accepts_loss_arguments
            trainer.train(resume_from_checkpoint=_last(folder))
    except torch.OutOfMemoryError:
        raise RunError(_NO_ROOM) from None
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise RunError(_NO_ROOM) from None
    # also where nothing was left to train after a stop
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    loss = losses[-1] if losses else None
    if loss is not None and not math.isfinite(loss):
        raise RunError("the training loss is not a number, nothing was written: lower lr=.")
    done = trainer.state.global_step
    return Trained(done, loss, trainer.state.best_metric, done < steps)


@contextlib.contextmanager
def _restored_config(model: Any, recipe: Recipe) -> Iterator[None]:
    """Restore the config: Trainer switches the cache of keys and values off for good."""
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
    """Arguments that keep the model on its device, `place`.

    Trainer would move it to the first CUDA device, and copy it to all where there are several: n
    times the batch, and masks of zeros for one copy only.
    """

    place: torch.device | None = None

    @property
    def device(self) -> torch.device:
        """The model's device."""
        return self.place or super().device

    @property
    def n_gpu(self) -> int:
        """At most one."""
        return min(1, super().n_gpu)

    def stay_on(self, place: torch.device) -> None:
        """Keep to `place`, and accelerate with it."""
        self.place = self.distributed_state.device = place
        if place.type == "cuda":
            torch.cuda.set_device(place)  # Trainer made the first one current


def _arguments(
    model: Any, dtype: torch.dtype, recipe: Recipe, folder: Path, steps: int, watched: bool
) -> TrainingArguments:
    """The recipe as Trainer's arguments."""
    interval = max(1, math.ceil(steps / recipe.evaluations))
    arguments = _OnePlace(
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
        eval_steps=interval,
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=interval,
        save_total_limit=2,
        load_best_model_at_end=watched,
        logging_steps=max(1, interval // 4),
        report_to=[],
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=model.device.type == "cuda",
        remove_unused_columns=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        label_names=["labels"],
    )
    arguments.stay_on(model.device)
    return arguments


def _last(folder: Path) -> str | None:
    """The last complete state in a folder; incomplete ones are deleted."""
    states = []
    for place in folder.glob("checkpoint-*"):
        if (place / _WHOLE).is_file():
            states.append(place)
        else:
            shutil.rmtree(place)
    return str(max(states, key=lambda p: int(p.name.rpartition("-")[2]))) if states else None


class _Watch(TrainerCallback):
    """Calls back after every step, reports progress, and marks saved states as complete."""

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


class _Learning(Trainer):
    """Trainer with logits of the completion only; given a teacher, its loss is (1 - hard) KL +
    hard x the own loss (Hinton et al. 2015, arXiv:1503.02531).
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
        if self.teacher is None and adds_to_loss(self.model):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        output, logits, targets = losses.learnt(model, inputs)
        items = num_items_in_batch if self.model_accepts_loss_kwargs else None
        loss = losses.own_loss(logits, targets, items)
        if self.teacher is not None:
            soft = self.teacher.distance(logits, inputs)
            loss = (1 - self.teacher.hard) * soft + self.teacher.hard * loss
        return (loss, output) if return_outputs else loss


def adds_to_loss(model: Any) -> bool:
    """Whether a model adds a loss of its own, as of its routers, to that of its tokens."""
    return bool(getattr(model.config.get_text_config(), "output_router_logits", False))
