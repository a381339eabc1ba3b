"""What each criterion leaves of a model at growing levels: the embedded specialist, or a real one.

python benchmarks/criteria.py [--json] [--quick] [--model ID] [--data_dir DIR] [--probe FILE]
                              [--task NAME] [--out FILE]

Perplexity on held-back texts after every unstructured method, and shares right on a task (text
view, options view). Of the embedded specialist: clinic-medicine and the generator's far end; its
windows are as short as the texts it was trained on, since in longer, packed ones its activations
are not those of its work. Of another model (`smollm2`): 16 pieces of 256 tokens of WikiText-2's
test text and of medical abstracts, calibrated on WikiText-2's validation text, and 32 questions of
`--task`. `ratio` is Wanda's number over magnitude's, both within rows or layers as each paper does:
accuracy by text of the embedded model, perplexity of another. `--probe` is a file of `resect probe`
for `allocation=sensitivity`. `--out` gets every row as it comes; what it has is not computed again.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import statistics
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
LEVELS, REAL_LEVELS = (0.5, 0.6, 0.7), (0.3, 0.5, 0.6, 0.7)
TEXTS = {"wikitext2": "wikitext2@256tok", "abstracts": "perplexity:medical-abstracts@256tok"}


@torch.no_grad()
def perplexity(model: Any, documents: list[torch.Tensor]) -> float:
    """Exp of the mean negative log-likelihood per token of each document on its own."""
    lost, count = 0.0, 0
    for ids in documents:
        lost += float(model(ids[None], labels=ids[None]).loss) * (len(ids) - 1)
        count += len(ids) - 1
    return math.exp(lost / count)


def held_back(tokenizer: Any, source: Source | None) -> dict[str, list[torch.Tensor]]:
    """Clinic texts from the far end of the generator, which no calibration window reaches.

    With a `source`: the first pieces of WikiText-2's test text and of medical abstracts.
    """
    if source is None:
        texts = list(itertools.islice(clinic.calibration_texts(), 6000))[-150:]
        return {"clinic": [torch.tensor(tokenizer(text).input_ids) for text in texts]}
    return {
        name: [torch.tensor(tokenizer(i.prompt + i.choices[0]).input_ids)
               for i in tasks.get(task).items(source)[:16]]
        for name, task in TEXTS.items()
    }  # fmt: skip


def accuracy(model: Any, asking: Any, task: Any, items: Any) -> tuple[float, float]:
    """(text, options) shares right."""
    right = [0, 0]
    for batch in asking.ask(model):
        for row, raw in zip(batch.rows, batch.answers, strict=True):
            right[0] += task.read(raw.text, items[row]).value == items[row].gold
            right[1] += chosen(items[row], raw.option_scores, task.info.scored) == items[row].gold
    return right[0] / len(items), right[1] / len(items)


class Table:
    """The rows, printed as they come; those of `out` are not computed again."""

    def __init__(self, out: Path | None, quiet: bool) -> None:
        self.out, self.quiet = out, quiet
        kept = out.read_text().splitlines() if out is not None and out.is_file() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in kept]

    def has(self, step: str, level: float) -> bool:
        """Whether a row is there."""
        return any((row["step"], row["level"]) == (step, level) for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Keep and print a row."""
        self.rows.append(row)
        if self.out is not None:
            with self.out.open("a") as file:
                print(json.dumps(row), file=file)
        if not self.quiet:
            numbers = (f"{name} {value:.3f}" for name, value in row.items() if name != "step")
            print(f"{row['step']:48} {'  '.join(numbers)}", flush=True)

    def mean(self, step: str, name: str) -> float:
        """Of one number over the levels."""
        return statistics.fmean(row[name] for row in self.rows if row["step"] == step)


def main() -> None:
    parser = machine.parser(__doc__)
    parser.add_argument("--model", default="clinic:specialist")
    parser.add_argument("--data_dir", type=Path, default=os.environ.get("RESECT_DATA"))
    parser.add_argument("--probe", type=Path)
    parser.add_argument("--task")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    shared = f",allocation=sensitivity,probe={asked.probe}"
    steps = STEPS + [f"{name}{shared}" for name in ("wanda", "sparsegpt") if asked.probe]
    embedded = asked.model.startswith("clinic:")
    ref = ModelRef(role="model", id=asked.model)
    loaded = loading.load(ref, "cpu")
    source, text_of = sources(loaded, embedded, asked.quick, asked.data_dir)
    text = Context.of(loaded, ref, text_of, data_dir=asked.data_dir)
    documents = held_back(loaded.tokenizer, None if embedded else source)
    name = "clinic-medicine" if embedded else asked.task
    task = tasks.get(name) if name else None
    items = task.items(source) if task else []
    asking = asker(loaded, task.info, items) if task else None
    table = Table(asked.out, asked.json)

    def numbers(model: Any) -> dict[str, float]:
        right = accuracy(model, asking, task, items) if task else ()
        return {
            **dict(zip(("text", "options"), right, strict=False)),
            **{name: round(perplexity(model, ids), 3) for name, ids in documents.items()},
        }

    with loading.threads(loaded.model):
        if not table.has("intact", 0.0):
            table.add({"step": "intact", "level": 0.0, **numbers(loaded.model)})
        for step in STEPS[:4] if asked.quick else steps:
            for level in LEVELS if embedded else REAL_LEVELS:
                if table.has(step, level):
                    continue
                method = methods.make(Step.parse(step))
                model = copy.deepcopy(loaded.model)
                method.prepare(model, [level], text)
                model, _ = method.apply(model, level)
                table.add({"step": step, "level": level, **numbers(model)})
    by = "text" if embedded else "wikitext2"
    machine.show(
        {
            "name": "criteria",
            "ratio": round(table.mean("wanda", by) / table.mean("magnitude", by), 3),
            "peer": "magnitude by layer",
            "model": asked.model,
            "items": len(items),
            "rows": table.rows,
        },
        asked.json,
    )


def sources(loaded: Any, embedded: bool, quick: bool, data_dir: Path | None) -> Any:
    """Where items come from, and the calibration text."""
    if embedded:
        text = Calibration(data="clinic", nsamples=64 if quick else 600, seqlen=40)
        return Source(limit=100 if quick else None), text
    source = Source(
        data_dir, limit=4 if quick else 32, apply_chat_template=True,
        token_starts=lambda text: token_starts(loaded.tokenizer, text),
    )  # fmt: skip
    return source, Calibration(data="wikitext2", nsamples=4 if quick else 64, seqlen=256)


if __name__ == "__main__":
    main()
