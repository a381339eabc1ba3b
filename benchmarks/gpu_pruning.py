"""Pruning a random-weight Mistral-7B in bf16 on a GPU: seconds and peak memory of each method.

python benchmarks/gpu_pruning.py [--json] [--quick]

The peer sorts every matrix at every level, as the published study did, on the same device;
`ratio` is its time over magnitude's for twenty levels. Without a CUDA device it says so.
"""

from __future__ import annotations

import time
from typing import Any

import _machine as machine
import torch
from transformers import AutoModelForCausalLM, MistralConfig

from resect import anatomy, methods
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.step import Context
from resect.spec import Step

LEVELS = [round(0.04 * step, 2) for step in range(1, 21)]
PEER = "torch.sort of every matrix at each of 20 levels, same device"
STEPS = ["magnitude:0.5", "magnitude:0.5,scope=global", "wanda:0.5", "ria:0.5", "sparsegpt:0.5"]


def measured(work: Any) -> tuple[float, float]:
    """(seconds, peak GB on the device)."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started, torch.cuda.max_memory_allocated() / 1e9


def sort_per_level(model: Any) -> None:
    for level in LEVELS:
        for matrix in anatomy.read(model).matrices:
            weight = matrix.weight()
            ordered = torch.sort(weight.abs().flatten()).values
            weight.masked_fill_(weight.abs() < ordered[int(weight.numel() * level)], 0)


def twenty_levels(model: Any) -> None:
    method = methods.make(Step.parse("magnitude"))
    method.prepare(model, LEVELS, Context())
    for level in LEVELS:
        method.apply(model, level)


def main() -> None:
    asked = machine.arguments(__doc__)
    if machine.lacks_cuda("gpu_pruning", PEER, asked.json):
        return
    blocks, samples = (2, 8) if asked.quick else (32, 128)
    config = MistralConfig(num_hidden_layers=blocks, num_key_value_heads=8)

    def fresh() -> Any:
        torch.manual_seed(0)
        with torch.device("cuda"):
            return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()

    text = Context(Tokens(torch.randint(0, config.vocab_size, (samples, 2048))))
    found: dict[str, Any] = {}
    for step in STEPS:
        model = fresh()
        method = methods.make(Step.parse(step))

        def work(method: Any = method, model: Any = model) -> None:
            method.prepare(model, [0.5], text)
            method.apply(model, 0.5)

        taken, peak = measured(work)
        found[step] = {"seconds": round(taken, 2), "peak_gigabytes": round(peak, 2)}
        del model, method, work
        torch.cuda.empty_cache()
    model = fresh()
    ours, _ = measured(lambda: twenty_levels(model))
    model = fresh()
    peer, _ = measured(lambda: sort_per_level(model))
    machine.show(
        {
            "name": "gpu_pruning",
            "ratio": round(peer / ours, 1),
            "peer": PEER,
            "blocks": blocks,
            "samples": samples,
            "seconds": round(ours, 2),
            "peer_seconds": round(peer, 2),
            "methods": found,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
