"""What each criterion leaves of the embedded specialist at 50, 60 and 70 %.

python benchmarks/criteria.py [--json] [--quick]

Accuracy on clinic-medicine (options view, text view) and perplexity on held-back texts, after
every unstructured method. Windows are as short as the texts the clinic was trained on: in longer,
packed ones its activations are not those of its work. `ratio` is Wanda's mean accuracy by text
over magnitude's, both compared within rows or layers as each paper does; the table has all.
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import _machine as machine
import torch

from resect import clinic, methods, tasks
from resect.methods.step import Context
from resect.models import loading
from resect.run.walk import asker
from resect.spec import Calibration, ModelRef, Step
from resect.tasks import Source
from resect.tasks.contract import chosen

STEPS = [
    "magnitude", "magnitude,scope=row", "magnitude,scope=global", "wanda", "wanda,inputs=dense",
    "ria", "ria,inputs=dense", "sparsegpt", "sparsegpt,inputs=dense", "random",
]  # fmt: skip
LEVELS = (0.5, 0.6, 0.7)


@torch.no_grad()
def perplexity(model: Any, documents: list[torch.Tensor]) -> float:
    """Exp of the mean negative log-likelihood per token of each document on its own."""
    lost, count = 0.0, 0
    for ids in documents:
        lost += float(model(ids[None], labels=ids[None]).loss) * (len(ids) - 1)
        count += len(ids) - 1
    return math.exp(lost / count)


def held_back(tokenizer: Any) -> list[torch.Tensor]:
    """Clinic texts from the far end of the generator, which no calibration window reaches."""
    texts = list(itertools.islice(clinic.calibration_texts(), 6000))[-150:]
    return [torch.tensor(tokenizer(text).input_ids) for text in texts]


def accuracy(model: Any, asking: Any, task: Any, items: Any) -> tuple[float, float]:
    """(text, options) shares right."""
    right = [0, 0]
    for batch in asking.ask(model):
        for row, raw in zip(batch.rows, batch.answers, strict=True):
            right[0] += task.read(raw.text, items[row]).value == items[row].gold
            right[1] += chosen(items[row], raw.option_scores, task.info.scored) == items[row].gold
    return right[0] / len(items), right[1] / len(items)


def main() -> None:
    asked = machine.arguments(__doc__)
    ref = ModelRef(role="model", id="clinic:specialist")
    loaded = loading.load(ref, "cpu")
    size = 64 if asked.quick else 600
    chosen_text = Calibration(data="clinic", nsamples=size, seqlen=40)
    text = Context.of(loaded, ref, chosen_text)
    documents = held_back(loaded.tokenizer)
    task = tasks.get("clinic-medicine")
    items = task.items(Source(limit=100 if asked.quick else None))
    asking = asker(loaded, task.info, items)
    rows = []
    with loading.threads(loaded.model):
        base = accuracy(loaded.model, asking, task, items)
        rows.append(("intact", 0.0, *base, perplexity(loaded.model, documents)))
        for step in STEPS[:4] if asked.quick else STEPS:
            for level in LEVELS:
                method = methods.make(Step.parse(step))
                model = copy.deepcopy(loaded.model)
                method.prepare(model, [level], text)
                model, _ = method.apply(model, level)
                found = accuracy(model, asking, task, items)
                rows.append((step, level, *found, perplexity(model, documents)))
    names = ("step", "level", "text", "options", "perplexity")
    table = [dict(zip(names, (*row[:4], round(row[4], 3)), strict=True)) for row in rows]

    def mean(step: str) -> float:
        return sum(row[2] for row in rows if row[0] == step) / len(LEVELS)

    if not asked.json:
        for row in table:
            print("{step:24} {level:.2f}  text {text:.3f}  options {options:.3f}  "
                  "perplexity {perplexity:9.3f}".format(**row))  # fmt: skip
    machine.show(
        {
            "name": "criteria",
            "ratio": round(mean("wanda") / mean("magnitude"), 3),
            "peer": "magnitude by layer",
            "items": len(items),
            "rows": table,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
