"""Twenty levels from one calibration, against one calibration a level.

python benchmarks/levels.py [--json] [--quick]

Both prune the embedded specialist by Wanda at the same twenty levels, with the same samples and
length; `inputs=dense` gathers the activations once, the peer gathers them before every level.
`ratio` is Wanda's; SparseGPT's, whose column sweeps are counted in both, stands beside it.
"""

from __future__ import annotations

import copy

import _machine as machine

from resect import methods
from resect.methods.step import Context
from resect.models import loading
from resect.spec import Calibration, ModelRef, Step

LEVELS = [round(0.04 * step, 2) for step in range(1, 21)]


def once(method_name: str, loaded: loading.Loaded, text) -> None:
    """As a sweep does: prepare once, walk on in place where that is allowed."""
    method = methods.make(Step.parse(f"{method_name},inputs=dense"))
    model = copy.deepcopy(loaded.model)
    method.prepare(model, LEVELS, text)
    for level in LEVELS:
        model = model if method.nested else copy.deepcopy(loaded.model)
        model, _ = method.apply(model, level)


def every_level(method_name: str, loaded: loading.Loaded, text) -> None:
    """Calibrate, prune, and begin anew."""
    for level in LEVELS:
        method = methods.make(Step.parse(f"{method_name},inputs=dense"))
        model = copy.deepcopy(loaded.model)
        method.prepare(model, [level], text)
        method.apply(model, level)


def main() -> None:
    asked = machine.arguments(__doc__)
    ref = ModelRef(role="model", id="clinic:specialist")
    loaded = loading.load(ref, "cpu")
    samples = 32 if asked.quick else 128
    chosen = Calibration(data="clinic", nsamples=samples, seqlen=256)
    text = Context.of(loaded, ref, chosen)
    found = {}
    with loading.threads(loaded.model):
        for name in ("wanda", "sparsegpt"):
            fast = machine.seconds(lambda name=name: once(name, loaded, text), 1)
            slow = machine.seconds(lambda name=name: every_level(name, loaded, text), 1)
            found[name] = {"seconds": round(fast, 2), "peer_seconds": round(slow, 2)}
    machine.show(
        {
            "name": "levels",
            "ratio": round(found["wanda"]["peer_seconds"] / found["wanda"]["seconds"], 2),
            "ratio_sparsegpt": round(
                found["sparsegpt"]["peer_seconds"] / found["sparsegpt"]["seconds"], 2
            ),
            "peer": "one calibration at each of 20 levels, same samples and length",
            "samples": samples,
            **found,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
