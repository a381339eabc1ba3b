"""What a real language model keeps of itself when neurons, heads or blocks are cut out of it.

python benchmarks/structured.py [--json] [--quick] [--model DIR_OR_ID] [--data_dir DIR]
                                [--calibration TEXT] [--task TASK] [--step STEP]... [--cache DIR]

Perplexity of tokens on the first 16 windows of a text (WikiText-2 by default) after every step at
10, 20 and 30 %, its ratio to the intact model's, and to that of the same parts cut at random.
Calibration: 64 windows of 256 tokens of another text, the validation part by default, read once
for all criteria (`--cache` keeps what it says for the next run). Nothing is tuned. `ratio` is that
of the default `neurons` at 20 % to the intact model.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import _machine as machine
import torch

from resect import methods, tasks
from resect.methods.parts import channels
from resect.methods.step import Context
from resect.models import loading
from resect.running.walk import asker
from resect.spec import Calibration, ModelRef, Step
from resect.tasks import Source

STEPS = [
    "neurons,criterion=random", "neurons", "neurons,criterion=random,update=lstsq",
    "neurons,criterion=taylor", "neurons,criterion=flap", "neurons,criterion=flap,update=lstsq",
    "neurons,criterion=wanda-sp", "neurons,criterion=wanda-sp,update=lstsq",
    "neurons,criterion=activation", "neurons,criterion=activation,update=lstsq", "nodes",
    "heads,criterion=random", "heads", "heads,criterion=random,update=lstsq",
    "heads,criterion=taylor", "heads,criterion=flap", "heads,criterion=wanda-sp",
    "heads,criterion=activation", "heads,criterion=norm",
    "blocks,criterion=random", "blocks", "blocks,criterion=loss",
]  # fmt: skip
LEVELS = (0.1, 0.2, 0.3)
HEAD_LEVELS = (0.34,)  # of three groups of heads the config can say one or three


def perplexity(model: Any, asking: Any) -> float:
    """Exp of the mean negative log-likelihood of a token over all windows."""
    answers = [raw for batch in asking.ask(model) for raw in batch.answers]
    total = sum(raw.option_scores[0] for raw in answers)
    return math.exp(-total / sum(raw.tokens for raw in answers))


class Gathered:
    """Stands for `channels.gather`: all criteria read the same text through the same model."""

    def __init__(self, folder: Path | None) -> None:
        self.gather, self.folder = channels.gather, folder
        self.inputs: dict[str, dict[str, Any]] = {}

    def __call__(self, model: Any, text: Any, readouts: Any, products: bool) -> Any:
        """As `channels.gather`, with all products; the text is read only once."""
        kind = readouts[0].matrix.name.rpartition(".")[2]
        file = self.folder / f"{kind}.pt" if self.folder else None
        if kind not in self.inputs and file and file.is_file():
            stored = torch.load(file, weights_only=True, mmap=True)
            self.inputs[kind] = {name: channels.Inputs(*row) for name, row in stored.items()}
        if kind not in self.inputs:
            pairs = self.gather(model, text, readouts, products=True)
            self.inputs[kind] = {readout.name: inputs for readout, inputs in pairs}
            if file:
                torch.save({name: tuple(row) for name, row in self.inputs[kind].items()}, file)
        return ((readout, self.inputs[kind][readout.name]) for readout in readouts)


def measured(step: str, levels: Any, loaded: Any, text: Context, asking: Any) -> list[dict]:
    """Rows of one step: the model is cut on in place from level to level."""
    method = methods.make(Step.parse(step))
    model = copy.deepcopy(loaded.model)
    began = time.perf_counter()
    method.fits(model, levels)
    method.prepare(model, levels, text)
    prepared = time.perf_counter() - began
    rows = []
    for level in levels:
        model, report = method.apply(model, level)
        rows.append(
            {
                "name": method.name, "criterion": method.criterion, "step": step,
                "level": round(level, 4), "measured_level": round(report.measured, 4),
                "perplexity": round(perplexity(model, asking), 2),
                "parameters": model.num_parameters(), "prepared_s": round(prepared, 1),
            }
        )  # fmt: skip
    return rows


def compared(row: dict, intact: float, controls: dict) -> dict:
    """A row with its ratios to the intact model and to the random cut; None without one."""
    name = {"nodes": "neurons"}.get(row["name"], row["name"])
    control = controls.get((name, row["level"]))
    return row | {
        "to_intact": round(row["perplexity"] / intact, 3),
        "to_random": None if control is None else round(row["perplexity"] / control, 4),
    }


def arguments() -> Any:
    parser = machine.parser(__doc__)
    parser.add_argument("--model", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--data_dir", default=os.environ.get("RESECT_DATA"))
    parser.add_argument("--calibration", help="a text file, a hub set, task:NAME or clinic")
    parser.add_argument("--task", default="wikitext2")
    parser.add_argument("--cache", type=Path, help="a folder for what the calibration text says")
    parser.add_argument("--step", action="append", help="only these; random ones are the control")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    data = Path(asked.data_dir) if asked.data_dir else None
    default = (
        str(data / "wikitext2_valid.jsonl.gz") if data else "Salesforce/wikitext:wikitext-2-v1"
    )
    ref = ModelRef.of(role="model", id=asked.model, dtype="float32")
    loaded = loading.load(ref, "cpu")
    windows, size = (8, 128) if asked.quick else (64, 256)
    calibration = Calibration(data=asked.calibration or default, nsamples=windows, seqlen=size)
    text = Context.of(loaded, ref, calibration, data_dir=data)
    task = tasks.get(asked.task)
    items = task.items(Source(data_dir=data, limit=2 if asked.quick else 16))
    asking = asker(loaded, task.info, items)
    steps = asked.step or (STEPS[:2] if asked.quick else STEPS)
    channels.gather = Gathered(asked.cache)
    rows, controls = [], {}
    with loading.threads(loaded.model):
        intact = perplexity(loaded.model, asking)
        for step in steps:
            levels = HEAD_LEVELS if step.startswith("heads") else LEVELS
            levels = levels[-1:] if asked.quick else levels
            for row in measured(step, levels, loaded, text, asking):
                if row["criterion"] == "random" and "update" not in step:
                    controls[row["name"], row["level"]] = row["perplexity"]
                rows.append(compared(row, intact, controls))
                if not asked.json:
                    print(json.dumps(rows[-1]), flush=True)
    default_rows = [row for row in rows if row["step"] == "neurons"]
    target = min(default_rows, key=lambda row: abs(row["level"] - 0.2), default=None)
    machine.show(
        {
            "name": "structured",
            "ratio": target and target["to_intact"],
            "peer": "the intact model",
            "intact": round(intact, 2),
            "model": asked.model,
            "task": asked.task,
            "windows": len(items),
            "calibration": f"{calibration.data}, {windows} x {size} tokens",
            "worse_than_random": [
                f"{row['step']} at {row['level']:g}"
                for row in rows
                if row["to_random"] and row["to_random"] > 1
            ],
            "rows": rows if asked.json else len(rows),
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
