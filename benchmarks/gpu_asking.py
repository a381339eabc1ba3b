"""Asking a random-weight Mistral-7B in bf16 on a GPU: items a second of three ways, and the peak.

python benchmarks/gpu_asking.py [--json] [--quick] [--data_dir DIR]

PubMedQA and MMLU prompts; the published loop on the first items only (its rate does not depend on
how many there are), lm_eval at the best of a few batch sizes, and ours giving both views. `share`
is what the prefill reaches of the device's bf16 matrix peak, measured in the same run on a product
of two 8192 x 8192 matrices: two operations a weight of the blocks and real token (filling and the
attention itself are not counted), over the seconds of the passes that read prompts. `profile` lists
the kernels that take longest while one batch is asked. Without a CUDA device it says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _machine as machine
import _peers as peers
import _random_model as random_model
import torch
from _prefill import Reading, matrix_peak, operations, synchronize, timed
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForCausalLM, MistralConfig

from resect import tasks
from resect.ask import Asker, Budget, first_budget
from resect.models.loading import Loaded
from resect.record import Item

PEER = f"{peers.PUBLISHED} (`ratio`); {peers.HARNESS}; same device"
SIZES = (16, 32, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data_dir", type=Path)
    asked = parser.parse_args()
    if machine.lacks_cuda("gpu_asking", PEER, asked.json):
        return
    place = random_model.data_dir(asked.data_dir)
    blocks, count, few = (4, 128, 8) if asked.quick else (32, 512, 32)
    loaded = mistral(place, "cuda", num_hidden_layers=blocks)
    peak = matrix_peak("cuda")
    found = {}
    for task in ("pubmedqa", "mmlu-lobotomy"):
        items = random_model.prompts(task, place, count)
        limit = tasks.get(task).info.max_new_tokens
        found[task] = compare(loaded, items, limit, few, SIZES, peak)
    machine.show(
        {
            "name": "gpu_asking",
            "ratio": found["pubmedqa"]["ratio_published_loop"],
            "peer": PEER,
            "blocks": blocks,
            "bf16_matrix_peak_tflops": round(peak / 1e12, 1),
            **found,
        },
        asked.json,
    )


def mistral(place: Path, device: str, **shape: int) -> Loaded:
    """Mistral-7B's shapes with random weights, made on the device."""
    config = MistralConfig(
        num_key_value_heads=8, vocab_size=32_000, sliding_window=None,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, **shape,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    return Loaded(model, random_model.tokenizer(place))


def compare(
    loaded: Loaded,
    items: Sequence[Item],
    limit: int,
    few: int,
    sizes: Sequence[int],
    peak: float,
) -> dict[str, Any]:
    """Items a second of every way on one task."""
    device = loaded.model.device.type
    budget = Budget(first_budget(device))
    asker = Asker(loaded.tokenizer, items, limit, budget=budget)
    first = items[: len(items) // 8]
    list(Asker(loaded.tokenizer, first, limit).ask(loaded.model))  # kernels are chosen and loaded
    loop = timed(lambda: peers.published_loop(*loaded, items[:few], limit), device) / few
    harness = {}
    for size in sizes:
        peer = peers.Harness(*loaded, size)
        harness[size] = timed(lambda peer=peer: peer.ask(items, limit), device)
    size = min(harness, key=harness.__getitem__)
    reading = Reading()
    ours = timed(lambda: reading.watch(lambda: list(asker.ask(loaded.model)), device), device)
    text_alone = [Item(id=i.id, prompt=i.prompt, gold=None) for i in items]
    alone = Asker(loaded.tokenizer, text_alone, limit, budget=budget)
    reached = operations(loaded) * reading.tokens / reading.seconds
    return {
        "items": len(items),
        "prompt_tokens": sum(len(prompt.ids) for prompt in asker.prompts),
        "items_per_second": {
            "published_loop": round(1 / loop, 2),
            "lm_eval": round(len(items) / harness[size], 2),
            "ours": round(len(items) / ours, 2),
        },
        "ratio_published_loop": round(loop * len(items) / ours, 2),
        "ratio_lm_eval": round(harness[size] / ours, 2),
        "lm_eval_batch_size": size,
        "both_views_over_text_alone": round(
            ours / timed(lambda: list(alone.ask(loaded.model)), device), 3
        ),
        "budget_tokens": budget.tokens,
        "prefill_tflops": round(reached / 1e12, 1),
        "share": round(reached / peak, 3),
        "prefill_share_of_seconds": round(reading.seconds / ours, 3),
        "profile": kernels(lambda: next(asker.ask(loaded.model)), device),
    }


def kernels(work: Callable[[], Any], device: str, most: int = 10) -> list[dict[str, Any]]:
    """What takes longest on the device, in milliseconds."""
    on = ProfilerActivity.CUDA if device == "cuda" else ProfilerActivity.CPU
    with profile(activities=[on]) as found:
        work()
        synchronize(device)
    spent = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    rows = sorted(found.key_averages(), key=lambda row: -getattr(row, spent))[:most]
    return [
        {"name": row.key[:80], "calls": row.count, "ms": round(getattr(row, spent) / 1e3, 2)}
        for row in rows
    ]


if __name__ == "__main__":
    main()
