"""Models that are really smaller on a GPU: memory, tokens a second and joules by level; and 2:4.

python benchmarks/gpu_structured.py [--json] [--quick]

A random-weight Mistral-7B in bf16 with 0 to 50 % of its neurons cut out (widths stay multiples of
128), and a mixture of 16 experts, two a token, with 0 to 50 % of them cut out: the fixed workload
of `resect.running.measure` at each level. Then torch's semi-structured kernels for 2:4 against
the dense product, on Mistral's largest matrix, for one token and for many. `ratio` is the tokens a
second of the smallest Mistral over the intact one's. Without a CUDA device it says so.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import _machine as machine
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, MistralConfig, MixtralConfig, PretrainedConfig

from resect import methods
from resect.methods.step import Context
from resect.running.measure import sizes as measure
from resect.running.measure import workload
from resect.spec import Step

PEER = "the same model intact, same device and run"
NEURONS = ("nodes,multiple_of=128", (0.1, 0.2, 0.3, 0.5))
EXPERTS = ("experts,criterion=random", (0.25, 0.5))
MATRIX, TOKENS = (14336, 4096), (1, 128, 4096)


def fresh(config: PretrainedConfig, device: str) -> Any:
    """A random model of this shape in bf16."""
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()


def mistral(blocks: int) -> MistralConfig:
    return MistralConfig(num_hidden_layers=blocks, num_key_value_heads=8)


def mixture(blocks: int) -> MixtralConfig:
    """About 10 billion parameters with 24 blocks."""
    return MixtralConfig(
        num_hidden_layers=blocks, num_local_experts=16, num_experts_per_tok=2, hidden_size=2048,
        intermediate_size=4096, num_attention_heads=16, num_key_value_heads=4,
    )  # fmt: skip


def by_level(model: Any, step: str, levels: Sequence[float]) -> list[dict[str, Any]]:
    """What is measured of the model intact and at each level, cut in place."""
    method = methods.make(Step.parse(step))
    rows = [row(model, 0.0)]
    method.prepare(model, levels, Context())
    for level in levels:
        model, report = method.apply(model, level)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        rows.append(row(model, report.measured))
    return rows


def row(model: Any, level: float | None) -> dict[str, Any]:
    """Size, peak memory, medians of speed, and joules where the device counts them."""
    found, size = workload.measured(model), measure.size(model)
    medians = {
        key: found[key]["median"] if isinstance(found.get(key), dict) else found.get(key)
        for key in ("tokens_per_second", "prefill_tokens_per_second", "time_to_first_token",
                    "seconds_per_answer", "joules_per_answer", "flops_per_token")
    }  # fmt: skip
    return {
        "level": level,
        "parameters": size.parameters,
        "bytes_on_disk": size.bytes_on_disk,
        "peak_memory": found["peak_memory"],
        **medians,
    }


def seconds(work: Callable[[], Any], repeats: int = 20) -> float:
    """The median of the repeats, each timed on the device, after a warm-up."""
    found = []
    for number in range(repeats + 3):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()  # type: ignore[no-untyped-call]
        work()
        end.record()  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        if number >= 3:
            found.append(start.elapsed_time(end) / 1000)
    return statistics.median(found)


def two_of_four(weight: Tensor) -> Tensor:
    """The weight (O, I) with the two largest of every four in a row, the others zero."""
    fours = weight.view(-1, 4)
    kept = torch.zeros_like(fours, dtype=torch.bool)
    kept.scatter_(1, fours.abs().topk(2, dim=1).indices, True)
    return fours.where(kept, 0).view_as(weight)


def semi_structured() -> list[dict[str, Any]]:
    """Seconds of one product dense and as 2:4, and the bytes of both."""
    weight = two_of_four(torch.randn(MATRIX, device="cuda", dtype=torch.bfloat16))
    sparse = torch.sparse.to_sparse_semi_structured(weight)
    held = sum(getattr(sparse, part).nbytes for part in ("packed", "meta")
               if getattr(sparse, part, None) is not None)  # fmt: skip
    rows = []
    for tokens in TOKENS:
        x = torch.randn(tokens, MATRIX[1], device="cuda", dtype=torch.bfloat16)
        dense = seconds(lambda x=x: torch.nn.functional.linear(x, weight))
        fast = seconds(lambda x=x: torch.nn.functional.linear(x, sparse))
        rows.append({"tokens": tokens, "dense_seconds": dense, "sparse_seconds": fast,
                     "ratio": round(dense / fast, 2), "bytes": held / weight.nbytes})  # fmt: skip
    return rows


def main() -> None:
    asked = machine.arguments(__doc__)
    if machine.lacks_cuda("gpu_structured", PEER, asked.json):
        return
    blocks = 2 if asked.quick else 32
    neurons = by_level(fresh(mistral(blocks), "cuda"), *NEURONS)
    torch.cuda.empty_cache()
    experts = by_level(fresh(mixture(2 if asked.quick else 24), "cuda"), *EXPERTS)
    torch.cuda.empty_cache()
    last, whole = (neurons[place]["tokens_per_second"] for place in (-1, 0))
    machine.show(
        {
            "name": "gpu_structured",
            "ratio": round(last / whole, 2),
            "peer": PEER,
            "blocks": blocks,
            "neurons": neurons,
            "experts": experts,
            "two_of_four": semi_structured(),
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
