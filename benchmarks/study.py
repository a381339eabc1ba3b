"""A whole study of the embedded pair, against the published scripts' way; and what a level costs.

python benchmarks/study.py [--json] [--quick] [--limit N]

Ours is `resect run` of the demo's study as it is shipped: both models, twenty levels, three tasks
in two views, measured, stored, analysed, with its page. The peer does what the published scripts
do: for each model and task load it, and at every level sort every matrix, set what lies below the
threshold to zero and call `generate` once an item; one view, no analysis. `--limit` asks fewer
items of both, `--quick` fewer still, and the peer at two levels only, scaled up to twenty.

`cost` is the same study over 5, 10, 20 and 40 levels in one process: seconds in all, of the
asking cells, and of the report; `slope` is what one more level costs by a straight line.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import _machine as machine
import _peers as peers
import numpy as np
import torch

import resect
from resect import tasks
from resect.models import loading
from resect.tasks import Source

LEVELS = (5, 10, 20, 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--limit", type=int)
    asked = parser.parse_args()
    study = resect.Study.load(Path(str(files("resect.clinic") / "demo.yaml")))
    limit = asked.limit or (40 if asked.quick else study.limit)
    study = study.model_copy(update={"limit": limit})
    warm_up(study)
    levels = study.recipes[0].levels
    ours = machine.Times()
    with tempfile.TemporaryDirectory() as folder:
        ours.take(lambda: resect.run(study, Path(folder) / "run"))
    theirs = machine.Times()
    some = levels[5::9] if asked.quick else levels
    theirs.take(lambda: published(study, some))
    scale = len(levels) / len(some)
    peer = theirs.wall * scale
    machine.show(
        {
            "name": "study",
            "ratio": round(peer / ours.wall, 2),
            "ratio_cpu": round(theirs.cpu * scale / ours.cpu, 2),
            "peer": f"{peers.PUBLISHED}, sort of every matrix at every level, a load a task"
            + (f"; {len(some)} of {len(levels)} levels, scaled" if scale > 1 else ""),
            "items_a_cell": limit,
            "levels": len(levels),
            "seconds": round(ours.wall, 1),
            "peer_seconds": round(peer, 1),
            "cpu_seconds": round(ours.cpu, 1),
            "peer_cpu_seconds": round(theirs.cpu * scale, 1),
            "cost": costs(study, 10 if asked.quick else 100, LEVELS[:3] if asked.quick else LEVELS),
        },
        asked.json,
    )


def warm_up(study: resect.Study) -> None:
    """Import what both use, and measure the intact models once, outside of the times."""
    short = {"levels": (0.0, 0.5)}
    recipes = (study.recipes[0].model_copy(update=short),)
    with tempfile.TemporaryDirectory() as folder:
        few = study.model_copy(update={"limit": 2, "recipes": recipes})
        resect.run(few, folder)


def published(study: resect.Study, levels: tuple[float, ...]) -> None:
    """Both models, every task by a script of its own."""
    torch.set_num_threads(1)
    for ref in study.models.values():
        for name in study.tasks:
            loaded = loading.load(ref, "cpu")
            task = tasks.get(name)
            items = task.items(Source(limit=study.limit))
            for level in levels:
                prune(loaded.model, level)
                peers.published_loop(*loaded, items, task.info.max_new_tokens)


@torch.no_grad()
def prune(model: torch.nn.Module, level: float) -> None:
    """As `apply_pruning` of the published scripts."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            weight = module.weight.data
            size = weight.abs()
            count = int(level * size.numel())
            if count > 0:
                ordered, _ = torch.sort(size.view(-1))
                weight[size < ordered[count]] = 0.0


def costs(study: resect.Study, limit: int, counts: tuple[int, ...]) -> dict[str, Any]:
    """Seconds over numbers of levels, and the slope of each."""
    rows = []
    for count in counts:
        grid = tuple(round(float(level), 6) for level in np.linspace(0, 0.95, count))
        recipe = study.recipes[0].model_copy(update={"levels": grid})
        one = study.model_copy(update={"limit": limit, "recipes": (recipe,), "measure": "sizes"})
        with tempfile.TemporaryDirectory() as folder:
            times, report = machine.Times(), machine.Times()
            run = times.take(lambda one=one, folder=folder: resect.run(one, folder, workers=1))
            report.take(run.report)
            with run.reading() as store:
                asking = float(store.cells()["seconds"].sum())
        rows.append(
            {
                "levels": count,
                "seconds": round(times.wall, 2),
                "cpu_seconds": round(times.cpu, 2),
                "asking_seconds": round(asking, 2),
                "report_seconds": round(report.wall, 2),
            }
        )
        print(rows[-1], file=sys.stderr)
    found = {"items_a_cell": limit, "rows": rows, "slope": {}, "straight": {}}
    for name in ("seconds", "cpu_seconds", "asking_seconds", "report_seconds"):
        values = [row[name] for row in rows]
        slope, _ = np.polyfit(counts, values, 1)
        found["slope"][name] = round(float(slope), 3)
        found["straight"][name] = round(float(np.corrcoef(counts, values)[0, 1] ** 2), 4)
    return found


if __name__ == "__main__":
    main()
