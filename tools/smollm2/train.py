"""Train `smollm2-medical`: an adapter for SmolLM2-135M-Instruct, on a CPU, in the background.

A step is a few batches, shared out to `--threads` threads of one core each; their gradients are
summed in a fixed order, so that neither competition for cores nor stopping and going on changes
a weight. The rate is level and falls over the last part. Run again, it goes on from its last
checkpoint; what `--steps` says may still be changed before the rate falls.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from resect.tasks.contract import Source
from tools.smollm2 import lora
from tools.smollm2.batches import Batches, Row
from tools.smollm2.check import Check
from tools.smollm2.material import Part, parts

RANK, ALPHA = 8, 16.0
RATE, WARMUP, FALL = 1.5e-3, 20, 0.3
BATCH = 512
"""Padded tokens of a batch."""
SCALE = 32.0
"""What the summed loss of a step is divided by: about its number of answers."""


class Trainer:
    """The model, its adapter, the optimizer, and where it stands."""

    def __init__(self, base: Path, out: Path, steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.base, self.out, self.steps, self.seed = base, out, steps, seed
        self.model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        self.layers = lora.adapt_(self.model, RANK, ALPHA)
        self.learnt = [p for layer in self.layers.values() for p in (layer.a, layer.b)]
        self.optimizer = torch.optim.AdamW(
            self.learnt, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0
        )
        self.step = 0

    def rate(self, step: int) -> float:
        """Warm-up, level, a straight fall to zero over the last part."""
        left = (self.steps - step) / (FALL * self.steps)
        return RATE * min(1.0, (step + 1) / WARMUP, left)

    def learn(self, batches: list[list[Row]], workers: Executor) -> tuple[float, int]:
        """One step; its loss per unit of weight, and its padded tokens."""
        self.model.train()
        done = list(workers.map(self._gradients, batches))
        for number, p in enumerate(self.learnt):
            p.grad = torch.stack([grads[number] for _, _, grads in done]).sum(0) / SCALE
        torch.nn.utils.clip_grad_norm_(self.learnt, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.step)
        self.optimizer.step()
        self.merge()
        self.step += 1
        size = sum(len(rows) * max(len(row.ids) for row in rows) for rows in batches)
        return sum(loss for loss, _, _ in done) / sum(weight for _, weight, _ in done), size

    def _gradients(self, rows: list[Row]) -> tuple[float, float, list[Tensor]]:
        """Loss, its weight and its gradients; logits are made only where there is weight."""
        width = max(len(row.ids) for row in rows)
        ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in rows])
        weights = torch.tensor([row.weights + [0.0] * (width - len(row.ids)) for row in rows])
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        wanted = weights[:, 1:] > 0
        logits = self.model.lm_head(hidden[:, :-1][wanted])
        each = cross_entropy(logits, ids[:, 1:][wanted], reduction="none")
        loss = (each * weights[:, 1:][wanted]).sum()
        grads = torch.autograd.grad(loss, self.learnt)
        return loss.item(), float(weights[:, 1:].sum()), list(grads)

    def merge(self) -> None:
        """Take what was learnt into forward passes."""
        for layer in self.layers.values():
            layer.merge()

    @property
    def _state(self) -> Path:
        return self.out / "state.pt"

    def save(self) -> None:
        """Checkpoint and adapter, each whole or not at all."""
        draft = self._state.with_suffix(".draft")
        weights = [p.detach() for p in self.learnt]
        state = {"step": self.step, "seed": self.seed, "weights": weights}
        with draft.open("wb") as file:
            torch.save(state | {"optimizer": self.optimizer.state_dict()}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._state)
        lora.save(self.layers, self.out / "adapter", "smollm2", ALPHA)

    def resume(self) -> bool:
        """Go on from the last checkpoint, where there is one."""
        if not self._state.is_file():
            return False
        state = torch.load(self._state, weights_only=True)
        if state["seed"] != self.seed:
            raise SystemExit(f"{self._state} is of seed {state['seed']}: give another --out.")
        with torch.no_grad():
            for p, value in zip(self.learnt, state["weights"], strict=True):
                p.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.merge()
        return True


def train(given: argparse.Namespace) -> None:
    """The whole of it."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("set OMP_NUM_THREADS=1: each of --threads is one core's.")
    torch.set_num_threads(1)
    source = Source(data_dir=given.data_dir, apply_chat_template=True)
    learnt, held = parts(source)
    say("learnt from " + counts(learnt))
    say("held back " + counts(held))
    tokenizer = AutoTokenizer.from_pretrained(given.base, padding_side="left")
    trainer = Trainer(given.base, given.out, given.steps, given.seed)
    batches = Batches(learnt, tokenizer, source, given.seed, BATCH)
    check = Check(held, tokenizer, source, given.limit)
    resumed = trainer.resume()
    say(f"step {trainer.step} of {trainer.steps}" + " (goes on)" * resumed)
    with ThreadPoolExecutor(given.threads) as workers:
        saved = time.monotonic()
        while trainer.step < trainer.steps:
            began, busy = time.monotonic(), time.process_time()
            loss, size = trainer.learn(batches.of(trainer.step), workers)
            wall, busy = time.monotonic() - began, time.process_time() - busy
            say(
                f"step {trainer.step} loss {loss:.4f} rate {trainer.rate(trainer.step - 1):.2e} "
                f"{size} tokens {wall:.1f} s, {size / wall:.0f}/s, {size / busy:.0f}/s of a core"
            )
            due = trainer.step % given.check_every == 0 or trainer.step == trainer.steps
            if due or time.monotonic() - saved > 60 * given.save_minutes:
                trainer.save()
                saved = time.monotonic()
            if due:
                report(check, trainer, workers)
        whole = Check(held, tokenizer, source, None)
        say("the whole held-back part:")
        report(whole, trainer, workers)


def report(check: Check, trainer: Trainer, workers: Executor) -> None:
    """Scores to the log."""
    began = time.monotonic()
    for score in check.scores(trainer.model, workers):
        say(f"check at {trainer.step}: {score.line()}")
    say(f"check took {time.monotonic() - began:.0f} s")


def counts(part: Part) -> str:
    """How many questions of each task."""
    return ", ".join(f"{name} {len(questions)}" for name, questions in part.questions.items())


def say(line: str) -> None:
    """A line of the log."""
    print(time.strftime("%d %H:%M:%S"), line, flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="the folder that base.py wrote")
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check_every", type=int, default=50, help="steps")
    parser.add_argument("--save_minutes", type=float, default=10)
    parser.add_argument("--limit", type=int, default=80, help="questions a task in a check")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    train(given)


if __name__ == "__main__":
    main()
