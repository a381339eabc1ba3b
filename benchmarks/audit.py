"""The whole audit of the published study: seconds, memory, and its bootstrap against a plain loop.

python benchmarks/audit.py [--json] [--quick] [--data ARCHIVE]

The peer is the bootstrap most evaluation scripts have: a loop that draws item indices with
`numpy.random.Generator.choice` and takes the area of the mean, once a resample and curve. Both
give intervals of the six text curves' accuracy areas over the same answers; ours is one matrix
product a task. `--quick` runs both on fewer resamples and leaves the whole audit out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from resect.recorded import get
from resect.stats.intervals import bounds, item_weights

_BESIDE = Path(__file__).parents[2] / "shared" / "data"
DATA = Path(os.environ.get("RESECT_DATA") or _BESIDE) / "lobotomy_logs.tar.xz"
QUICK, FULL = 200, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args()
    if not asked.data.exists():
        sys.exit(f"the recorded study is not at {asked.data}: say where with --data")
    resamples = QUICK if asked.quick else FULL
    grids, levels = right(asked.data)
    ours, our_ends = timed(matrix, grids, levels, resamples)
    peer, peer_ends = timed(loop, grids, levels, resamples)
    result = {
        "name": "audit",
        "ratio": round(peer / ours, 2),
        "peer": f"numpy choice loop, {resamples} resamples a curve",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, numpy {np.__version__}",
        "seconds": round(ours, 3),
        "peer_seconds": round(peer, 3),
        "largest_gap_between_interval_ends": round(float(np.abs(our_ends - peer_ends).max()), 4),
        "whole_audit": None if asked.quick else whole(asked.data),
    }
    print(json.dumps(result) if asked.json else json.dumps(result, indent=1))


def right(path: Path) -> tuple[dict[tuple[str, str], np.ndarray], np.ndarray]:
    """Task and model to a matrix (levels, items): 1 where the study's own parse is right."""
    rows = get("lobotomy").read(path).rows
    levels = sorted({row.level for row in rows})
    grids: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for row in rows:
        column = grids.setdefault((row.task, row.model), {}).setdefault(
            row.item, np.zeros(len(levels), dtype=np.float32)
        )
        column[levels.index(row.level)] = row.recorded == row.gold
    return {key: np.stack(list(got.values()), axis=1) for key, got in grids.items()}, np.array(
        levels
    )


def matrix(grids, levels, resamples):
    """Ours: one matrix of item weights a task, shared by its curves."""
    ends, weights = [], {}
    for (task, _), grid in grids.items():
        if task not in weights:
            names = [str(i) for i in range(grid.shape[1])]
            weights[task] = item_weights(names, resamples, 0, task)
        means = (weights[task] @ grid.T) / grid.shape[1]
        ends.append(bounds(np.trapezoid(means[1:].astype(float), levels, axis=1)))
    return np.array(ends)


def loop(grids, levels, resamples):
    """The peer: every resample of every curve on its own."""
    rng, ends = np.random.default_rng(0), []
    for grid in grids.values():
        areas = []
        for _ in range(resamples):
            drawn = rng.choice(grid.shape[1], size=grid.shape[1], replace=True)
            areas.append(np.trapezoid(grid[:, drawn].mean(axis=1), levels))
        ends.append(np.quantile(areas, [0.025, 0.975]))
    return np.array(ends)


def whole(path: Path) -> dict[str, float]:
    """Seconds and peak memory of `resect audit`, page written, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "resect.cli", "audit", str(path), "--quiet"]
        started = time.perf_counter()
        subprocess.run([*command, "--out", f"{folder}/run"], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    return {"seconds": round(seconds, 1), "peak_gib": round(peak, 3)}


def timed(call, *arguments):
    started = time.perf_counter()
    found = call(*arguments)
    return time.perf_counter() - started, found


if __name__ == "__main__":
    main()
