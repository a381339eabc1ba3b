"""What the cliff of the embedded specialist is made of: weights, their scale, or the tied head.

python benchmarks/cliffs.py [--json] [--quick]

Shares right by text (and texts that name no option) of the first 100 validation items of medicine
and logic, after pruning: the smallest weights of the blocks (what the demo does), the same with
every matrix scaled back to its norm, with the tied head and so the embeddings pruned too, with an
untied copy of the head pruned, and random weights. `ratio` is the mean share right of what is
scaled back over that of the demo's pruning, over the levels from 60 %: far above 1 would mean that
the fall is one of scale.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import _machine as machine
import torch
from tools.clinic.check import n_right, text_labels

from resect import anatomy, methods
from resect.clinic import items
from resect.methods.step import Context
from resect.models import loading
from resect.spec import ModelRef, Step

LEVELS = (0.2, 0.4, 0.5, 0.6, 0.7)
STEEP = 0.6
TASKS = {"medicine": items.medicine, "logic": items.logic}


def prune(model: Any, step: str, level: float) -> Any:
    """The model pruned in place."""
    method = methods.make(Step.parse(step))
    method.prepare(model, [level], Context())
    return method.apply(model, level)[0]


def scaled_back(model: Any, level: float) -> Any:
    """Magnitude pruned, every matrix multiplied until it has its norm again."""
    before = {m.name: m.weight().norm() for m in anatomy.read(model).matrices}
    prune(model, "magnitude", level)
    for matrix in anatomy.read(model).matrices:
        matrix.weight().mul_(before[matrix.name] / matrix.weight().norm())
    return model


def untied(model: Any, level: float) -> Any:
    """The head pruned as a copy of its own, the embeddings left whole."""
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.config.tie_word_embeddings = False
    return prune(model, "magnitude,lm_head=true", level)


WAYS: dict[str, Callable[[Any, float], Any]] = {
    "blocks": lambda model, level: prune(model, "magnitude", level),
    "blocks, scaled back": scaled_back,
    "blocks and tied head": lambda model, level: prune(model, "magnitude,lm_head=true", level),
    "blocks and untied head": untied,
    "blocks, random weights": lambda model, level: prune(model, "random", level),
}


def shares(model: Any, tokenizer: Any, task: str, n: int) -> tuple[float, float]:
    """(right, naming no option) of the first n validation items, by text."""
    asked = TASKS[task]("validation")[:n]
    read = text_labels(model, tokenizer, asked)
    return n_right(read, asked) / n, read.count(None) / n


def main() -> None:
    asked = machine.arguments(__doc__)
    loaded = loading.load(ModelRef(role="model", id="clinic:specialist"), "cpu")
    n = 40 if asked.quick else 100
    rows = []
    with loading.threads(loaded.model):
        for way, make in WAYS.items():
            for task in TASKS:
                for level in LEVELS:
                    model = make(copy.deepcopy(loaded.model), level)
                    right, unread = shares(model, loaded.tokenizer, task, n)
                    rows.append({"pruned": way, "task": task, "level": level} |
                                {"right": right, "unread": unread})  # fmt: skip
                if not asked.json:
                    cells = [f"{r['right']:.2f} ({r['unread']:.2f})" for r in rows[-len(LEVELS) :]]
                    print(f"{way:24} {task:10}", *cells, flush=True)

    def mean(way: str) -> float:
        return sum(r["right"] for r in rows if r["pruned"] == way and r["level"] >= STEEP)

    machine.show(
        {
            "name": "cliffs",
            "ratio": round(mean("blocks, scaled back") / mean("blocks"), 3),
            "peer": "magnitude, not scaled back",
            "items": n,
            "rows": rows,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
