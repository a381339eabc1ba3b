"""What each criterion leaves of a model at 50, 60 and 70 %: the embedded specialist, or a real one.

python benchmarks/criteria.py [--json] [--quick] [--model ID] [--data_dir DIR] [--probe FILE]

Accuracy on clinic-medicine (options view, text view) and perplexity on held-back texts, after
every unstructured method; of another model (`smollm2`) on 32 questions of pubmedqa-test and 16
pieces of 256 tokens of WikiText-2's test text, calibrated on its validation text. The clinic's
windows are as short as the texts it was trained on: in longer, packed ones its activations are not
those of its work. `ratio` is Wanda's mean accuracy by text over magnitude's, both compared within
rows or layers as each paper does; the table has all. `--probe` is a file of `resect probe` for
`allocation=sensitivity`.
"""

from __future__ import annotations

import copy
import itertools
import math
import os
from pathlib import Path
from typing import Any

import _machine as machine
import torch

from resect import clinic, methods, tasks
from resect.ask.tokenize import token_starts
from resect.methods.step import Context
from resect.models import loading
from resect.running.walk import asker
from resect.spec import Calibration, ModelRef, Step
from resect.tasks import Source
from resect.tasks.contract import chosen

STEPS = [
    "magnitude", "magnitude,scope=row", "magnitude,scope=global", "wanda", "wanda,inputs=dense",
    "ria", "ria,inputs=dense", "sparsegpt", "sparsegpt,inputs=dense", "random",
    "wanda,allocation=owl", "wanda,allocation=alpha", "sparsegpt,allocation=owl",
    "sparsegpt,allocation=alpha",
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


def held_back(tokenizer: Any, source: Source | None = None) -> list[torch.Tensor]:
    """Clinic texts from the far end of the generator, which no calibration window reaches.

    With a `source`: the first pieces of WikiText-2's test text.
    """
    if source is not None:
        items = tasks.get("wikitext2@256tok").items(source)[:16]
        return [torch.tensor(tokenizer(i.prompt + i.choices[0]).input_ids) for i in items]
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
    parser = machine.parser(__doc__)
    parser.add_argument("--model", default="clinic:specialist")
    parser.add_argument("--data_dir", type=Path, default=os.environ.get("RESECT_DATA"))
    parser.add_argument("--probe", type=Path)
    asked = parser.parse_args()
    shared = f",allocation=sensitivity,probe={asked.probe}"
    steps = STEPS + [f"{name}{shared}" for name in ("wanda", "sparsegpt") if asked.probe]
    embedded = asked.model.startswith("clinic:")
    ref = ModelRef(role="model", id=asked.model)
    loaded = loading.load(ref, "cpu")
    source = Source(limit=100 if asked.quick else None)
    if embedded:
        text_of = Calibration(data="clinic", nsamples=64 if asked.quick else 600, seqlen=40)
    else:
        text_of = Calibration(data="wikitext2", nsamples=4 if asked.quick else 64, seqlen=256)
        source = Source(
            asked.data_dir, limit=4 if asked.quick else 32, apply_chat_template=True,
            token_starts=lambda text: token_starts(loaded.tokenizer, text),
        )  # fmt: skip
    text = Context.of(loaded, ref, text_of, data_dir=asked.data_dir)
    documents = held_back(loaded.tokenizer, None if embedded else source)
    task = tasks.get("clinic-medicine" if embedded else "pubmedqa-test")
    items = task.items(source)
    asking = asker(loaded, task.info, items)
    rows = []
    with loading.threads(loaded.model):
        base = accuracy(loaded.model, asking, task, items)
        rows.append(("intact", 0.0, *base, perplexity(loaded.model, documents)))
        for step in STEPS[:4] if asked.quick else steps:
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
            "model": asked.model,
            "items": len(items),
            "rows": table,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
