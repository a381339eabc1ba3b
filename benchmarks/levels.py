"""Twenty levels from one calibration, against one calibration a level.

python benchmarks/levels.py [--json] [--quick] [--model ID] [--data_dir DIR]

Both prune a model (the embedded specialist, or `smollm2` over WikiText-2 at five of the levels) by
Wanda at the same levels, with the same samples and length; `inputs=dense` gathers the activations
once, the peer gathers them before every level. `ratio` is Wanda's; SparseGPT's, whose column sweeps
are counted in both, stands beside it.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path

import _machine as machine

from resect import methods
from resect.methods.step import Context
from resect.models import loading
from resect.spec import Calibration, ModelRef, Step

LEVELS = [round(0.04 * step, 2) for step in range(1, 21)]


def once(method_name: str, loaded: loading.Loaded, text, levels=LEVELS) -> None:
    """As a sweep does: prepare once, walk on in place where that is allowed."""
    method = methods.make(Step.parse(f"{method_name},inputs=dense"))
    model = copy.deepcopy(loaded.model)
    method.prepare(model, levels, text)
    for level in levels:
        model = model if method.nested else copy.deepcopy(loaded.model)
        model, _ = method.apply(model, level)


def every_level(method_name: str, loaded: loading.Loaded, text, levels=LEVELS) -> None:
    """Calibrate, prune, and begin anew."""
    for level in levels:
        method = methods.make(Step.parse(f"{method_name},inputs=dense"))
        model = copy.deepcopy(loaded.model)
        method.prepare(model, [level], text)
        method.apply(model, level)


def main() -> None:
    parser = machine.parser(__doc__)
    parser.add_argument("--model", default="clinic:specialist")
    parser.add_argument("--data_dir", default=os.environ.get("RESECT_DATA"))
    asked = parser.parse_args()
    embedded = asked.model.startswith("clinic:")
    ref = ModelRef(role="model", id=asked.model)
    loaded = loading.load(ref, "cpu")
    samples = (32 if asked.quick else 128) // (1 if embedded else 8)
    levels = LEVELS if embedded else LEVELS[3::4]
    chosen = Calibration(data="clinic" if embedded else "wikitext2", nsamples=samples, seqlen=256)
    text = Context.of(loaded, ref, chosen, data_dir=asked.data_dir and Path(asked.data_dir))
    found = {}
    with loading.threads(loaded.model):
        for name in ("wanda", "sparsegpt"):
            fast = machine.seconds(lambda name=name: once(name, loaded, text, levels), 1)
            slow = machine.seconds(lambda name=name: every_level(name, loaded, text, levels), 1)
            found[name] = {"seconds": round(fast, 2), "peer_seconds": round(slow, 2)}
    machine.show(
        {
            "name": "levels",
            "ratio": round(found["wanda"]["peer_seconds"] / found["wanda"]["seconds"], 2),
            "ratio_sparsegpt": round(
                found["sparsegpt"]["peer_seconds"] / found["sparsegpt"]["seconds"], 2
            ),
            "peer": f"one calibration at each of {len(levels)} levels, same samples and length",
            "model": asked.model,
            "samples": samples,
            **found,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
