"""What 4 bits cost: auto-round tuned and to the nearest, beside bitsandbytes' nf4.

python benchmarks/packed.py [--json] [--quick]

The embedded specialist, each version written once and asked beside the intact model in its own
type (clinic-medicine, 100 items). `bits` are those of a quantized weight as stored, `kb` the whole
file (embeddings in 16 bits). `mean` and `most` are changes of an option's log-probability, `flips`
the share of items where another option is best. `cpu` counts every process that made the version.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import _machine as machine
import numpy as np

import resect
from resect.running import compression
from resect.running.folder import Run
from resect.spec import Calibration, ModelRef, Recipe

MODEL = "clinic:specialist"
STEPS = {
    "tuned": "autoround",
    "nearest": "autoround,iters=0",
    "bits8": "autoround,bits=8,iters=0",
    "nf4": "bnb-nf4",
}
TEXT = {"data": "clinic", "nsamples": 128, "seqlen": 40}


def main() -> None:
    asked = machine.arguments(__doc__)
    steps = dict([*STEPS.items()][1:3]) if asked.quick else STEPS
    with tempfile.TemporaryDirectory() as folder:
        rows = {arm: made(step, Path(folder) / arm) for arm, step in steps.items()}
        changes = asked_beside(Path(folder), list(rows), 20 if asked.quick else 100)
    rows = {arm: row | changes[arm] for arm, row in rows.items()}
    if not asked.json:
        for arm, row in rows.items():
            print(f"{arm:8}", "  ".join(f"{key} {value}" for key, value in row.items()))
    first = rows[next(iter(rows))]["mean"]
    machine.show(
        {
            "name": "packed",
            "ratio": round(first / rows["nearest" if asked.quick else "nf4"]["mean"], 3),
            "peer": "autoround,iters=0" if asked.quick else "bnb-nf4",
            "rows": rows if asked.json else len(rows),
        },
        asked.json,
    )


def made(step: str, out: Path) -> dict[str, float]:
    """Write a version; its bits, size and time."""
    ref, times = ModelRef.of(role="model", id=MODEL), machine.Times()
    done = times.take(
        lambda: compression.compress_to(
            ref, Recipe.of(steps=step), out, calibration=Calibration.of(**TEXT)
        )
    )
    (report,) = done["steps"]
    file = sum(path.stat().st_size for path in out.glob("*.safetensors"))
    return {
        "bits": round(report["measured"], 3),
        "kb": round(file / 1000),
        "cpu": round(times.cpu, 1),
    }


def asked_beside(folder: Path, arms: list[str], limit: int) -> dict[str, Any]:
    """By version, how its option scores differ from the intact model's."""
    study = resect.Study.of(
        name="packed", tasks=["clinic-medicine"], limit=limit, measure="sizes",
        models={"intact": MODEL} | {arm: str(folder / arm) for arm in arms},
    )  # fmt: skip
    run = resect.run(study, folder / "run", workers=1)
    with Run(run.path).reading() as store:
        answers = store.answers()
    scores = {
        role: rows.sort_values("item").option_scores.tolist()
        for role, rows in answers.groupby("role")
    }
    return {arm: change(scores[arm], scores["intact"]) for arm in arms}


def change(scores: list[Any], intact: list[Any]) -> dict[str, float]:
    """Mean and largest change of an option's log-probability, and the share of other choices."""
    far = np.abs(np.concatenate(scores) - np.concatenate(intact))
    best = [[int(np.argmax(item)) for item in rows] for rows in (scores, intact)]
    return {
        "mean": round(float(far.mean()), 4),
        "most": round(float(far.max()), 3),
        "flips": float(np.mean(np.not_equal(*best))),
    }


if __name__ == "__main__":
    main()
